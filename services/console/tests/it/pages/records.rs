//! What all kinds of records have: lists, forms, conflicts, history.

use reqwest::Method;
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use super::Shown;
use crate::fixture::Fixture;
use crate::records::ABSENT;

const HOSTILE: &str = "<script>alert('1')</script> \"&<b>";

#[tokio::test]
async fn a_bot_is_made_changed_brought_back_and_removed_by_forms() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    operator
        .get("/new-bot")
        .await
        .holds(200, &["name=\"integration\"", "list=\"integration-list\""]);
    let fields = [("id", "help"), ("name", "Helper"), ("integration", "support")];
    operator
        .post("/new-bot", &fields)
        .await
        .leads_to("/bots/help?done=put");
    let shown = operator.get("/bots/help?done=put").await;
    shown.holds(200, &["It is stored", "Helper", "href=\"/integrations/support\""]);

    let editor = operator.get("/bots/help/edit").await;
    let first = editor.value("revision");
    let text = "id: help\nname: Assistant\nintegration: support\n";
    let change = [("revision", first.as_str()), ("text", text)];
    operator
        .post("/bots/help/edit", &change)
        .await
        .leads_to("/bots/help?done=put");
    let past = operator.get("/bots/help/history").await;
    past.holds(
        200,
        &[
            "<del>- name: Helper</del>",
            "<ins>+ name: Assistant</ins>",
            "Go back to this",
        ],
    );

    let second = past.value("revision");
    let back = [("revision", second.as_str()), ("to", first.as_str())];
    operator
        .post("/bots/help/rollback", &back)
        .await
        .leads_to("/bots/help?done=rollback");
    let now = operator.get("/bots/help").await;
    now.holds(200, &["Helper"]);
    let revision = now.value("revision");
    let removal = [("revision", revision.as_str())];
    operator
        .post("/bots/help/delete", &removal)
        .await
        .leads_to("/bots/help/history?done=delete");
    operator
        .get("/bots/help/history?done=delete")
        .await
        .holds(200, &["It is removed", "It was removed."]);
    operator.get("/bots/help").await.holds(404, &["not_found"]);
    // What was removed comes back over nothing.
    let absent = [("revision", ""), ("to", &*second)];
    operator
        .post("/bots/help/rollback", &absent)
        .await
        .leads_to("/bots/help?done=rollback");
    assert_eq!(
        console
            .series("operator_requests_total{action=\"bots.put\",outcome=\"done\",service=\"console\"}")
            .await,
        2
    );
}

#[tokio::test]
async fn who_comes_later_is_told_and_sees_what_would_differ() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let stale = operator.get("/integrations/support/edit").await.value("revision");
    let text = |timeout: &str| format!("id: support\nurl: https://a.example/\ntimeout: {timeout}\n");
    let [mine, theirs] = [text("7s"), text("9s")];
    let change = [("revision", &*stale), ("text", &theirs)];
    operator
        .post("/integrations/support/edit", &change)
        .await
        .leads_to("/integrations/support?done=put");

    let late = [("revision", &*stale), ("text", &mine)];
    let refused = operator.post("/integrations/support/edit", &late).await;
    refused.holds(
        412,
        &[
            "Somebody else has changed it",
            "<del>- timeout: 9s</del>",
            "<ins>+ timeout: 7s</ins>",
            "changed",
        ],
    );
    // The form is made of what is there now, so who has seen that may go on.
    let now = refused.value("revision");
    assert_ne!(now, stale);
    let again = [("revision", &*now), ("text", &mine)];
    operator
        .post("/integrations/support/edit", &again)
        .await
        .leads_to("/integrations/support?done=put");

    let taken = [("id", "support"), ("url", "https://b.example/")];
    operator
        .post("/new-integration", &taken)
        .await
        .holds(412, &["https://b.example/"]);
    let stale = [("revision", &*stale)];
    operator
        .post("/integrations/support/delete", &stale)
        .await
        .holds(412, &["has changed meanwhile"]);
}

#[tokio::test]
async fn every_broken_rule_is_shown_with_what_was_sent_and_a_check_stores_nothing() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let wrong = [
        ("id", "help"),
        ("text", "id: help\nname: B\nnmae: 1\nintegration: nowhere\n"),
    ];
    for address in ["/new-bot", "/new-bot/check"] {
        operator.post(address, &wrong).await.holds(
            422,
            &[
                "bots.help.nmae",
                "bots.help.integration",
                "nmae: 1\nintegration: nowhere",
                "Code: <code>invalid",
            ],
        );
    }
    let small = [("id", "help"), ("name", "Helper"), ("integration", "nowhere")];
    operator
        .post("/new-bot", &small)
        .await
        .holds(422, &["bots.help.integration", "value=\"Helper\""]);
    operator
        .post("/bots/help/edit", &[("text", "a: [")])
        .await
        .holds(422, &["unusable"]);
    let other = [("text", "id: other\nname: B\nintegration: support\n")];
    operator
        .post("/bots/help/edit", &other)
        .await
        .holds(422, &["bots.help.id"]);

    let right = [("id", "help"), ("name", "Helper"), ("integration", "support")];
    operator
        .post("/new-bot/check", &right)
        .await
        .holds(200, &["It breaks no rule", "value=\"Helper\""]);
    operator.get("/bots/help").await.holds(404, &["not_found"]);
}

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

#[tokio::test]
async fn pages_of_a_list_lead_to_each_other() {
    let console = Fixture::start().await;
    for number in 0..50 {
        let id = format!("a{number:02}");
        let record = json!({"id": id, "url": "https://a.example/"});
        let put = console
            .put(&format!("/v1/integrations/{id}"), &record, ABSENT)
            .await;
        assert_eq!(put.status, 201);
    }
    let viewer = console.viewer().await;
    wait_until(PATIENCE, "all to be listed", async || {
        viewer.get("/integrations").await.html.contains("cursor=")
    })
    .await;
    viewer
        .get("/integrations")
        .await
        .holds(
            200,
            &[
                "/integrations/a00\"",
                "/integrations/a49\"",
                "/integrations?cursor=a49",
            ],
        )
        .lacks(&["/integrations/support\""]);
    viewer
        .get("/integrations?cursor=a49")
        .await
        .holds(200, &["/integrations/support\""])
        .lacks(&["/integrations/a49\"", "cursor="]);
}

#[tokio::test]
async fn what_this_build_cannot_read_is_said_so_and_can_be_replaced() {
    let console = Fixture::start().await;
    let subject = "$KV.registry.integrations.support".to_owned();
    let odd = bus::Outgoing::raw(subject, "{}".into(), "odd", Vec::new());
    console.bus.publish(odd).await.unwrap();
    let operator = console.operator().await;
    operator
        .get("/integrations/support")
        .await
        .holds(200, &["This build cannot read what is stored"]);
    operator.get("/integrations").await.holds(200, &["unreadable"]);
    let revision = operator.get("/integrations/support/edit").await.value("revision");
    let text = "id: support\nurl: https://a.example/\n";
    operator
        .post(
            "/integrations/support/edit",
            &[("revision", &revision), ("text", text)],
        )
        .await
        .leads_to("/integrations/support?done=put");
}
