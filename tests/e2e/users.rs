//! The whole pipeline on a broker that speaks TLS and knows its users: each service works with the rights of its own
//! user, and needs no others.

use proto_schemas::access::{BOOTSTRAP, FORGETTING, OPERATOR};
use proto_schemas::dead_letter::Stage;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::backend::{always, echo, fail_first};
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::process::Service;
use testkit::telegram::{photo_update, text_update};
use tests::fleet::environment;
use tests::secured::Secured;
use tokio::process::Command;

use crate::files::{ask_for_report, fetch, image_links, photo};
use crate::manifest::{ERROR_MESSAGE, FRAGILE, TELEGRAM, TELEGRAM_FRAGILE, WEB};
use crate::pipeline::{Options, Pipeline, echoed};

const CHAT: i64 = 7001;
/// What an operator shows the console.
const TOKEN: &str = "a-token-of-the-tests";
/// A manifest.
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/example.yaml");

/// On a broker with users.
pub(crate) const SECURED: Options = Options {
    replicas: 1,
    settings: &[],
    files_in_s3: false,
    secured: true,
    traced: false,
};

impl Pipeline {
    /// The users of its broker.
    pub(crate) fn users(&self) -> &Secured {
        self.secured.as_ref().unwrap()
    }

    /// Runs the command line as a user, and returns what it prints.
    pub(crate) async fn chatbot_as(&self, user: &str, arguments: &[&str]) -> String {
        let mut command = Command::from(self.users().chatbot(user, &self.nats));
        let done = command.args(arguments).output().await.unwrap();
        let (said, complained) = (
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr),
        );
        assert!(done.status.success(), "{arguments:?}: {said}{complained}");
        said.into_owned()
    }

    /// Starts the console, with its user.
    async fn console(&self) -> Service {
        self.console_with(None).await
    }

    /// Starts the console, with its user and the key of another one to remove conversations with.
    async fn console_with(&self, removes_as: Option<&str>) -> Service {
        let settings = [("CONSOLE_OPERATOR_TOKEN", "env:TOKEN")];
        let mut env = environment(&Secured::url(&self.nats), &settings);
        env.extend(self.users().environment("console"));
        env.push(("TOKEN", TOKEN.to_owned()));
        if let Some(user) = removes_as {
            let seed = self.users().identity(user).key.unwrap().seed().to_owned();
            env.push(("CONSOLE_FORGET_NKEY_SEED", "env:FORGET_SEED".to_owned()));
            env.push(("FORGET_SEED", seed));
        }
        let console = Service::start("console", &env).await;
        console.ready().await;
        console
    }

    /// Sends messages that fail, each of a user of its own, until one is answered with this.
    async fn fails_with(&self, said: &str) {
        let mut number = 0;
        wait_until(PATIENCE, "the words of the changed bot", async || {
            number += 1;
            let user = format!("{number}-{}", said.len());
            self.say(FRAGILE, &user, "hard").await;
            self.replies(&user, 1).await == [said]
        })
        .await;
    }

    /// Nobody was refused anything: the services say so, and the broker.
    pub(crate) async fn nobody_was_refused(&self) {
        for stage in Stage::ALL {
            assert_unrefused(self.service(stage), stage.as_str()).await;
        }
        let log = self.nats.log();
        assert!(!log.contains("Violation"), "{log}");
    }
}

/// A request to the console, not sent yet.
async fn operators(console: &Service, method: Method, path: &str) -> RequestBuilder {
    let url = format!("http://{}{path}", console.address("http").await);
    client().request(method, url).bearer_auth(TOKEN)
}

async fn assert_unrefused(service: &Service, name: &str) {
    let count = async |metric: &str| {
        let series = format!("chatbot_nats_{metric}{{service=\"{name}\"}}");
        Pipeline::count(service, &series).await
    };
    assert_eq!(count("connected").await, 1, "{name}");
    assert_eq!(
        count("permission_errors_total").await,
        0,
        "{name}: {}",
        service.logs()
    );
}

#[tokio::test]
async fn a_text_and_a_retry_pass_through_services_with_users_of_their_own() {
    let pipeline = Pipeline::start(SECURED).await;
    pipeline.backend.respond_with(fail_first(1, 503));
    let receipt = pipeline.say(WEB, "ada", "hello").await;
    assert_eq!(pipeline.replies("ada", 1).await, [echoed(&["hello"])]);
    pipeline.settled().await;
    assert_eq!(pipeline.calls_of("ada").len(), 2);
    let story = pipeline
        .chatbot_as(OPERATOR, &["trace", receipt.message.as_str()])
        .await;
    for service in Stage::ALL
        .iter()
        .filter(|stage| **stage != Stage::AttachmentFetcher)
    {
        assert!(story.contains(service.as_str()), "{service:?}: {story}");
    }
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn files_pass_both_ways_with_users_of_their_own() {
    let pipeline = Pipeline::start(SECURED).await;
    pipeline.telegram.add_file("AgAC-big", photo());
    let update = photo_update(1, CHAT + 1, 41, "AgAC-big", "what is this?");
    pipeline.update(TELEGRAM, &update).await;
    let calls = pipeline.backend.wait_for_calls(1).await;
    let link = image_links(&calls[0]).pop().unwrap();
    assert_eq!(fetch(&link).await, (200, photo()));
    let message = json!({
        "conversation_id": "eve",
        "user": { "id": "eve" },
        "text": "and this?",
        "attachments": [{ "data_base64": "/9j/4AA=", "name": "dog.jpg", "content_type": "image/jpeg" }],
    });
    pipeline.push(WEB, "push-1", &message).await.unwrap();
    pipeline.replies("eve", 1).await;
    ask_for_report(&pipeline).await;
    pipeline.replies("ada", 1).await;
    pipeline.telegram_messages(CHAT, 2).await;
    pipeline.settled().await;
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn what_was_given_up_is_replayed_and_a_manifest_applied_by_the_operators_user() {
    let pipeline = Pipeline::start(SECURED).await;
    pipeline.backend.respond_with(always(500));
    pipeline.say(FRAGILE, "ada", "hard").await;
    assert_eq!(pipeline.replies("ada", 1).await, [ERROR_MESSAGE]);
    pipeline.settled().await;
    let letter = pipeline.dead_letters().await.remove(0);
    pipeline.backend.respond_with(echo);
    let letters = ["dead-letters", "replay", letter.id.as_str()];
    pipeline.chatbot_as(OPERATOR, &letters).await;
    pipeline.replies("ada", 2).await;
    pipeline.settled().await;
    assert!(
        pipeline.dead_letters().await.is_empty(),
        "it was replayed and removed"
    );
    pipeline.chatbot_as(OPERATOR, &["apply", "--file", EXAMPLE]).await;
    pipeline.chatbot_as(OPERATOR, &["breakers", "list"]).await;
    pipeline.chatbot_as(OPERATOR, &["ab", "split"]).await;
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn a_conversation_with_a_file_and_a_dead_letter_is_forgotten_by_the_user_that_is_there_for_it() {
    let pipeline = Pipeline::start(SECURED).await;
    pipeline.backend.respond_with(always(500));
    pipeline.telegram.add_file("AgAC-big", photo());
    let update = photo_update(1, CHAT, 41, "AgAC-big", "what is this?");
    pipeline.update(TELEGRAM_FRAGILE, &update).await;
    pipeline.telegram_messages(CHAT, 1).await;
    pipeline.settled().await;
    assert_eq!(pipeline.dead_letters().await.len(), 1);
    let chat = [
        "forget",
        "--connection",
        TELEGRAM_FRAGILE,
        "--user",
        "7001",
        "--yes",
    ];
    let said = pipeline.chatbot_as(FORGETTING, &chat).await;
    for line in [
        "1  contexts",
        "inbox entries",
        "1  transcripts",
        "1  dead letters",
        "2  progress records",
        "1  files\n",
    ] {
        assert!(said.contains(line), "{line:?} is not in\n{said}");
    }
    assert!(pipeline.dead_letters().await.is_empty());
    let said = pipeline.chatbot_as(FORGETTING, &chat).await;
    assert!(said.contains("nothing is stored"), "{said}");
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn a_test_of_an_integration_and_a_typing_hint_pass_between_the_users() {
    let pipeline = Pipeline::start(SECURED).await;
    let console = pipeline.console().await;
    let asked = operators(&console, Method::POST, "/v1/integrations/echo/test").await;
    let asked = asked.body("{\"message\":\"Hello!\"}");
    assert_eq!(asked.send().await.unwrap().status(), 200);
    let test = ["test-integration", "echo", "--message", "Hello!"];
    pipeline.chatbot_as(OPERATOR, &test).await;

    let gate = pipeline.backend.hold();
    pipeline
        .update(TELEGRAM, &text_update(1, CHAT, 41, "think hard"))
        .await;
    wait_until(PATIENCE, "the chat to be shown", async || {
        pipeline.telegram.calls("sendChatAction") >= 1
    })
    .await;
    gate.release();
    pipeline.telegram_messages(CHAT, 1).await;
    assert_unrefused(&console, "console").await;
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn a_bot_is_changed_back_and_a_dead_letter_replayed_through_the_console() {
    let pipeline = Pipeline::start(SECURED).await;
    pipeline.backend.respond_with(always(500));
    let console = pipeline.console().await;
    let bot = operators(&console, Method::GET, "/v1/bots/fragile").await;
    let bot = bot.send().await.unwrap();
    let first = bot.headers()["etag"].clone();
    let mut record: Value = serde_json::from_slice(&bot.bytes().await.unwrap()).unwrap();
    record["error_message"] = "Later, please.".into();
    let change = operators(&console, Method::PUT, "/v1/bots/fragile").await;
    let change = change.header("if-match", &first).body(record.to_string());
    let changed = change.send().await.unwrap();
    assert_eq!(changed.status(), 200);
    pipeline.fails_with("Later, please.").await;

    let back = operators(&console, Method::POST, "/v1/bots/fragile/rollback").await;
    let back = back.header("if-match", &changed.headers()["etag"]);
    let revision = first.to_str().unwrap().trim_matches('"');
    let back = back.body(format!("{{\"revision\": {revision}}}"));
    assert_eq!(back.send().await.unwrap().status(), 200);
    pipeline.fails_with(ERROR_MESSAGE).await;
    pipeline.settled().await;
    for read in [
        "/v1/bots/fragile/history",
        "/v1/bots/fragile/ab",
        "/v1/conversations",
        "/v1/breakers",
        "/v1/overview",
    ] {
        let read = operators(&console, Method::GET, read).await;
        assert_eq!(read.send().await.unwrap().status(), 200);
    }
    pipeline.backend.respond_with(echo);
    let letter = pipeline.dead_letters().await.remove(0);
    let replay = format!("/v1/dead-letters/{}/replay", letter.id);
    let replay = operators(&console, Method::POST, &replay).await;
    assert_eq!(replay.send().await.unwrap().status(), 200);
    pipeline.settled().await;
    let left = pipeline.dead_letters().await;
    assert!(left.iter().all(|left| left.id != letter.id), "{left:?}");
    assert_unrefused(&console, "console").await;
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn the_console_removes_a_conversation_with_the_key_of_the_user_that_may() {
    let pipeline = Pipeline::start(SECURED).await;
    let conversation = pipeline.say(WEB, "ada", "hello").await.conversation;
    pipeline.replies("ada", 1).await;
    pipeline.settled().await;
    let path = format!("/v1/conversations/{conversation}");
    let forget = async |console: &Service| -> (u16, Value) {
        let request = operators(console, Method::DELETE, &path).await;
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    };
    let console = pipeline.console().await;
    let (status, refused) = forget(&console).await;
    assert_eq!((status, &refused["code"]), (501, &"forget_user_missing".into()));
    let detail = refused["detail"].as_str().unwrap();
    assert!(detail.contains("CONSOLE_FORGET_NKEY_SEED"), "{detail}");
    let reset = operators(&console, Method::POST, &format!("{path}/reset")).await;
    assert_eq!(reset.body("{}").send().await.unwrap().status(), 200);
    pipeline.replies("ada", 2).await;
    pipeline.settled().await;
    assert_unrefused(&console, "console").await;
    drop(console);

    let console = pipeline.console_with(Some(FORGETTING)).await;
    let (status, forgotten) = forget(&console).await;
    assert_eq!(
        (status, &forgotten["interrupted"]),
        (200, &0.into()),
        "{forgotten}"
    );
    assert_eq!(forgotten["entries"]["transcripts"], 2, "{forgotten}");
    assert!(pipeline.transcripts(&conversation).await.is_empty());
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn after_a_restart_of_the_broker_the_bucket_in_memory_is_made_again_by_those_who_need_it() {
    let mut pipeline = Pipeline::start(SECURED).await;
    pipeline.say(WEB, "ada", "hello").await;
    pipeline.replies("ada", 1).await;
    pipeline.nats.restart().await;
    for stage in Stage::ALL {
        pipeline.service(stage).ready().await;
    }
    pipeline.say(WEB, "ada", "again").await;
    pipeline
        .update(TELEGRAM, &text_update(1, CHAT, 41, "hello"))
        .await;
    pipeline.replies("ada", 2).await;
    pipeline.telegram_messages(CHAT, 1).await;
    let series = "chatbot_nats_reconnects_total{service=\"egress\"}";
    assert_eq!(Pipeline::count(pipeline.service(Stage::Egress), series).await, 1);
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn bootstrap_says_what_it_created_and_changed_and_does_it_once() {
    let pipeline = Pipeline::start(SECURED).await;
    let said = pipeline.chatbot_as(BOOTSTRAP, &["bootstrap"]).await;
    assert_eq!(said, "streams, consumers and buckets are in place\n");
    // The tests have given the consumers an ack_wait of their own.
    let said = pipeline.chatbot_as(BOOTSTRAP, &["bootstrap", "--update"]).await;
    assert!(
        said.contains("changed TURNS/webhook-caller\n") && !said.contains("created"),
        "{said}"
    );
    pipeline.nobody_was_refused().await;
}
