//! Talking to a bot through ingress.

use console::Console;
use reqwest::Method;
use runtime::service::configure;
use serde_json::json;
use tempfile::TempDir;
use testkit::callback::new_secret;
use testkit::condition::{PATIENCE, wait_until};
use testkit::ingress::FakeIngress;

use super::Shown;
use super::refusals::HOSTILE;
use crate::fixture::{Fixture, answer, start};
use crate::records::ABSENT;

/// The sample's message.
pub(super) const MESSAGE: &str = "msg_3kq7zt_t901";
/// A chat of the bot `help`, whose connection the playground makes.
pub(super) const CHAT: &str = "/playground/playground-help/console-1";
/// The longest message, in bytes.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// A console with a playground, whose ingress is ours.
pub(super) struct Ground {
    pub(super) console: Fixture,
    ingress: FakeIngress,
    /// The reference of the secret.
    reference: String,
    _folder: TempDir,
}

impl Ground {
    /// With the bot `help`, which has no connection.
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (secret, file) = (new_secret("playground"), folder.path().join("playground"));
        std::fs::write(&file, &secret).unwrap();
        let reference = format!("file:{}", file.display());
        let ingress = FakeIngress::start(&secret, MESSAGE).await;
        let console = Fixture::with(&[
            ("INGRESS_URL", &ingress.url()),
            ("CONSOLE_PLAYGROUND_SECRET", &reference),
            // Which the playground needs nothing of.
            ("CONSOLE_SECRETS", "env:OTHER"),
        ])
        .await;
        let bot = json!({"id": "help", "name": "Helper", "integration": "support"});
        let put = console.put("/v1/bots/help", &bot, ABSENT).await;
        assert_eq!(put.status, 201, "{}", put.body);
        let ground = Self {
            console,
            ingress,
            reference,
            _folder: folder,
        };
        ground.wait_for("Helper (help)").await;
        ground
    }

    /// Connects the bot.
    pub(super) async fn connect(&self) {
        let operator = self.console.operator().await;
        operator
            .post("/playground", &[("bot", "help")])
            .await
            .leads_to("/playground/playground-help");
        self.wait_for("href=\"/playground/playground-help\"").await;
    }

    /// Waits until the page for choosing has this.
    async fn wait_for(&self, part: &str) {
        let operator = self.console.operator().await;
        wait_until(PATIENCE, part, async || {
            operator.get("/playground").await.html.contains(part)
        })
        .await;
    }
}

#[tokio::test]
async fn a_console_without_a_playground_says_how_it_gets_one() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let told = ["INGRESS_URL and CONSOLE_PLAYGROUND_SECRET"];
    operator.get("/playground").await.holds(200, &told);
    operator
        .post("/playground", &[("bot", "help")])
        .await
        .holds(404, &told);
    operator.get(CHAT).await.holds(404, &["not_found"]);
}

#[tokio::test]
async fn a_playground_has_a_key_and_an_ingress_or_the_console_does_not_start() {
    let refused = configure::<Console>([("INGRESS_URL".to_owned(), "http://ingress:8080".to_owned())]);
    let errors = refused.err().unwrap().to_string();
    assert!(
        errors.contains("CONSOLE_PLAYGROUND_SECRET: must be set with INGRESS_URL"),
        "{errors}"
    );
    let console = Fixture::start().await;
    let folder = &console.folder;
    std::fs::write(folder.path().join("no-key"), "hunter2").unwrap();
    let settings = |reference: &str| format!("file:{}/{reference}", folder.path().display());
    for reference in [settings("no-key"), settings("nowhere")] {
        let settings = [
            ("INGRESS_URL", "http://ingress:8080"),
            ("CONSOLE_PLAYGROUND_SECRET", &*reference),
        ];
        let starting = start(console.nats.url(), folder, "an-operator-of-the-tests", &settings);
        let error = starting.await.err().unwrap().to_string();
        assert!(error.contains("the playground: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn an_operator_connects_a_bot_and_talks_to_it() {
    let ground = Ground::start().await;
    let operator = ground.console.operator().await;
    ground.connect().await;
    let stored = ground.console.get("/v1/connections/playground-help").await;
    assert_eq!(stored.body["bot"], "help");
    assert_eq!(
        stored.body["channel"]["http"]["secrets"],
        json!([ground.reference])
    );
    // Who comes later finds it made.
    operator
        .post("/playground", &[("bot", "help")])
        .await
        .leads_to("/playground/playground-help");

    let begun = operator.get("/playground/playground-help").await;
    let chat = begun.location.clone().unwrap();
    assert!(chat.starts_with("/playground/playground-help/console-"), "{chat}");
    operator
        .get(&chat)
        .await
        .holds(200, &["Talking to help", "Say something"]);
    operator
        .post(&chat, &[("text", "What do I owe?")])
        .await
        .leads_to(&format!("{chat}?message={MESSAGE}"));
    let pushed = ground.ingress.pushed();
    assert_eq!(pushed.len(), 1);
    assert_eq!(pushed[0].path, "/v1/channels/playground-help/messages");
    let (_, name) = chat.rsplit_once('/').unwrap();
    let expected = json!({"conversation_id": name, "user": {"id": "console", "name": "Console"},
        "text": "What do I owe?"});
    assert_eq!(pushed[0].body, expected);

    ground.console.receive().await;
    let watched = operator.get(&format!("{chat}?message={MESSAGE}")).await;
    let events = format!("data-events=\"{chat}/events?message={MESSAGE}\"");
    watched.holds(200, &["What do I owe?", "waits for its turn", &events]);
    ground.console.finish("conv_3kq7zt", 17).await;
    let answered = operator.get(&format!("{chat}?message={MESSAGE}")).await;
    answered
        .holds(200, &["You owe **12 €**.", "sent as 902"])
        .lacks(&["data-events"]);
}

#[tokio::test]
async fn a_message_that_ingress_refuses_is_still_there_to_be_sent_again() {
    let ground = Ground::start().await;
    ground.connect().await;
    ground.console.receive().await;
    let operator = ground.console.operator().await;
    let here = format!("{CHAT}?message={MESSAGE}");
    let action = format!("action=\"{here}\"");
    operator.get(&here).await.holds(200, &[&action]);
    for (status, body) in [(503, ""), (200, "no JSON"), (302, ""), (200, "{\"id\": \"a b\"}")] {
        ground.ingress.answer_next(status, body);
        let refused = operator.post(&here, &[("text", HOSTILE)]).await;
        let cause = format!("it answers HTTP {status}");
        refused
            .holds(
                502,
                &[
                    "Code: <code>ingress",
                    &cause,
                    "autofocus>&lt;script&gt;",
                    "What do I owe?",
                ],
            )
            .lacks(&["<script>", "<b>"]);
    }
    assert!(ground.ingress.pushed().is_empty());
    assert_eq!(ground.console.count("ingress").await, 4);
}

#[tokio::test]
async fn a_message_has_something_in_it_and_is_no_book() {
    let ground = Ground::start().await;
    ground.connect().await;
    let operator = ground.console.operator().await;
    let (most, more) = ("x".repeat(MAX_TEXT_BYTES), "x".repeat(MAX_TEXT_BYTES + 1));
    for text in ["", " \n\t", &*more] {
        let refused = operator.post(CHAT, &[("text", text)]).await;
        refused.holds(422, &["a message has 1 to 16384 bytes"]);
    }
    assert!(ground.ingress.pushed().is_empty());
    operator.post(CHAT, &[("text", &most)]).await.holds(303, &[]);
    assert_eq!(ground.ingress.pushed()[0].body["text"], most);
}

#[tokio::test]
async fn a_viewer_looks_on_and_says_nothing() {
    let ground = Ground::start().await;
    let viewer = ground.console.viewer().await;
    viewer
        .get("/playground")
        .await
        .holds(200, &["Talk to a bot"])
        .lacks(&["Connect it"]);
    let connect = viewer.post("/playground", &[("bot", "help")]).await;
    connect.holds(403, &["forbidden"]);
    ground.connect().await;
    let said = viewer.post(CHAT, &[("text", "Hello!")]).await;
    said.holds(403, &["forbidden"]);
    assert!(ground.ingress.pushed().is_empty());
    let page = viewer.get(CHAT).await;
    page.holds(200, &["Say something"]).lacks(&["<textarea"]);
}

#[tokio::test]
async fn only_connections_that_the_playground_may_push_to_are_talked_through() {
    let ground = Ground::start().await;
    ground.connect().await;
    let operator = ground.console.operator().await;
    let other = json!({"id": "chat", "bot": "help", "channel": {"http": {"secrets": ["env:OTHER"]}}});
    let put = ground.console.put("/v1/connections/chat", &other, ABSENT).await;
    assert_eq!(put.status, 201, "{}", put.body);
    wait_until(PATIENCE, "the connection", async || {
        operator
            .get("/connections")
            .await
            .html
            .contains("/connections/chat\"")
    })
    .await;
    let long = "x".repeat(65);
    for nowhere in [
        "/playground/chat/console-1",
        "/playground/nowhere/console-1",
        "/playground/a.b/console-1",
        "/playground/playground-help/a%2Fb",
        "/playground/playground-help/%3Cb%3E",
        &format!("/playground/playground-help/{long}"),
    ] {
        operator
            .get(nowhere)
            .await
            .holds(404, &["not_found"])
            .lacks(&["<b>"]);
        let said = operator.post(nowhere, &[("text", "Hello!")]).await;
        said.holds(404, &["not_found"]);
    }
    for nowhere in ["a.b", "%0A", "%3Cb%3E", "%FF", "..%2F.."] {
        let begun = operator.get(&format!("/playground/{nowhere}")).await;
        begun.holds(404, &["not_found"]);
    }
    for bot in ["nowhere", "a.b", ""] {
        let connect = operator.post("/playground", &[("bot", bot)]).await;
        assert!([404, 422].contains(&connect.status), "{bot}: {}", connect.html);
    }
    // A replica of the broker may not know yet what was pushed just now.
    let unknown = operator.get(&format!("{CHAT}?message=msg_3kq7zt_other")).await;
    unknown.holds(200, &["The message is looked for.", "data-events="]);
    for message in ["x", "%3Cb%3E"] {
        let page = operator.get(&format!("{CHAT}?message={message}")).await;
        page.holds(404, &["not_found"]).lacks(&["<b>"]);
    }
    let request = ground
        .console
        .request(Method::GET, "/v1/connections/playground-nowhere");
    answer(request).await.is(404, "not_found");
    assert!(ground.ingress.pushed().is_empty());
}

#[tokio::test]
async fn an_ingress_that_is_away_is_said_so() {
    let Ground {
        console,
        ingress,
        _folder,
        reference: _,
    } = {
        let ground = Ground::start().await;
        ground.connect().await;
        ground
    };
    drop(ingress);
    let operator = console.operator().await;
    let refused: Shown = operator.post(CHAT, &[("text", "Hello!")]).await;
    refused.holds(502, &["Code: <code>ingress", ">Hello!</textarea>"]);
}
