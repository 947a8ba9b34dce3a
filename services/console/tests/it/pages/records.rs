//! What all kinds of records have: lists, forms, conflicts, history.

use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use crate::fixture::Fixture;
use crate::records::ABSENT;

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
    operator.post("/new-integration", &taken).await.holds(
        412,
        &[
            "https://b.example/",
            "There is one of this identifier: <a href=\"/integrations/support\"",
        ],
    );
    let stale = [("revision", &*stale)];
    operator
        .post("/integrations/support/delete", &stale)
        .await
        .holds(412, &["has changed meanwhile"]);
}

#[tokio::test]
async fn what_somebody_else_has_removed_can_be_made_anew() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let stale = operator.get("/integrations/support/edit").await.value("revision");
    let removal = [("revision", stale.as_str())];
    operator
        .post("/integrations/support/delete", &removal)
        .await
        .leads_to("/integrations/support/history?done=delete");
    let text = "id: support\nurl: https://a.example/\n";
    let late = [("revision", stale.as_str()), ("text", text)];
    let refused = operator.post("/integrations/support/edit", &late).await;
    refused.holds(412, &["Somebody else has removed it"]);
    let absent = refused.value("revision");
    let anew = [("revision", absent.as_str()), ("text", text)];
    operator
        .post("/integrations/support/edit", &anew)
        .await
        .leads_to("/integrations/support?done=put");
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
