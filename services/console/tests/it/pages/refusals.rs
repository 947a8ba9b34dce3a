//! What nobody gets: changes by viewers, forms of others, markup of users.

use reqwest::Method;
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use super::Shown;
use crate::fixture::Fixture;
use crate::records::ABSENT;

/// Markup that somebody would like to have on our pages.
pub(super) const HOSTILE: &str = "<script>alert('1')</script> \"&<b>";

#[tokio::test]
async fn a_viewer_sees_everything_and_changes_nothing() {
    let console = Fixture::start().await;
    let viewer = console.viewer().await;
    for seen in [
        "/bots",
        "/integrations",
        "/connections",
        "/integrations/support",
        "/integrations/support/history",
    ] {
        viewer
            .get(seen)
            .await
            .holds(200, &["Signed in as viewer"])
            .lacks(&["/edit\"", "Remove", "Go back", "/new-", "Send the test"]);
    }
    let change = [
        ("revision", "1"),
        ("text", "id: support\n"),
        ("to", "1"),
        ("message", "x"),
        ("id", "b"),
    ];
    for form in [
        "/new-bot",
        "/integrations/support/edit",
        "/integrations/support/delete",
        "/integrations/support/rollback",
        "/integrations/support/test",
        "/new-connection",
    ] {
        viewer.post(form, &change).await.holds(403, &["forbidden"]);
    }
    for page in [
        "/new-bot",
        "/new-integration",
        "/new-connection",
        "/integrations/support/edit",
    ] {
        viewer.get(page).await.holds(403, &["forbidden"]);
    }
    let checked = [
        ("text", "id: support\nurl: https://a.example/\n"),
        ("revision", "1"),
    ];
    viewer
        .post("/integrations/support/check", &checked)
        .await
        .holds(200, &["It breaks no rule"]);
}

#[tokio::test]
async fn a_form_without_the_seal_of_its_session_is_refused() {
    let console = Fixture::start().await;
    let (operator, viewer) = (console.operator().await, console.viewer().await);
    let foreign = viewer.get("/bots").await.value("seal");
    for form in [
        "/new-bot",
        "/new-bot/check",
        "/bots/b/edit",
        "/bots/b/delete",
        "/bots/b/rollback",
        "/integrations/support/test",
        "/integrations/support/preview",
    ] {
        for seal in ["", "x", &foreign] {
            let sent = operator
                .send(Method::POST, form, &[("seal", seal), ("id", "b")])
                .await;
            Shown::of(sent).await.holds(403, &["foreign_form"]);
        }
    }
}

#[tokio::test]
async fn what_people_have_written_is_text_on_every_page() {
    let console = Fixture::start().await;
    let bot = json!({"id": "b", "name": HOSTILE, "integration": "support", "error_message": HOSTILE,
        "context": {"system_prompt": HOSTILE}});
    assert_eq!(console.put("/v1/bots/b", &bot, ABSENT).await.status, 201);
    let operator = console.operator().await;
    wait_until(PATIENCE, "the bot to be listed", async || {
        operator.get("/bots").await.html.contains("/bots/b\"")
    })
    .await;
    for page in ["/bots", "/bots/b", "/bots/b/edit", "/bots/b/history"] {
        operator
            .get(page)
            .await
            .holds(200, &["&lt;script&gt;"])
            .lacks(&["<script>", "<b>"]);
    }
    let fields = [("id", HOSTILE), ("name", HOSTILE), ("integration", HOSTILE)];
    operator
        .post("/new-bot", &fields)
        .await
        .holds(
            422,
            &["value=\"&lt;script&gt;alert('1')&lt;/script&gt; &quot;&amp;&lt;b&gt;\""],
        )
        .lacks(&["<script>", "<b>"]);
    let text = format!("</textarea>{HOSTILE}");
    operator
        .post("/bots/b/edit", &[("revision", "1"), ("text", &text)])
        .await
        .holds(422, &["&lt;/textarea&gt;"])
        .lacks(&["<script>", "<b>"]);
}

#[tokio::test]
async fn an_address_that_names_nothing_is_answered_so() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    for id in ["nowhere", "a.b", "%3Cb%3E", "*", "%00", "%FF"] {
        for page in ["", "/edit", "/history"] {
            let address = format!("/bots/{id}{page}");
            operator
                .get(&address)
                .await
                .holds(404, &["not_found"])
                .lacks(&["<b>"]);
        }
        let form = [("revision", "1"), ("to", "1"), ("text", "id: x")];
        for verb in ["delete", "rollback"] {
            let sent = operator.post(&format!("/bots/{id}/{verb}"), &form).await;
            assert!([404].contains(&sent.status), "{id} {verb}: {}", sent.html);
        }
    }
    for cursor in ["a..b", "%00"] {
        operator
            .get(&format!("/bots?cursor={cursor}"))
            .await
            .holds(400, &["bad_query"]);
    }
    for bad in ["x", "-1", ""] {
        let form = [
            ("revision", bad),
            ("text", "id: support\nurl: https://a.example/\n"),
        ];
        let sent = operator.post("/integrations/support/delete", &form).await;
        sent.holds(400, &["bad_condition"]);
    }
}
