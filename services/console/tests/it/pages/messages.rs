//! What became of a message.

use bus::{Outgoing, TraceContext};
use serde_json::json;

use crate::fixture::Fixture;

#[tokio::test]
async fn a_message_that_waits_shows_which_stages_are_to_come() {
    let console = Fixture::start().await;
    let message = console.receive().await;
    let viewer = console.viewer().await;
    let page = viewer.get(&format!("/messages/{}", message.message_id())).await;
    page.holds(
        200,
        &[
            "What do I owe?",
            "href=\"/conversations/conv_3kq7zt\"",
            "accepted as inbox entry 1 through telegram-main",
            "waits for its turn",
        ],
    );
    assert_eq!(page.html.matches("not yet").count(), 3, "{}", page.html);
}

#[tokio::test]
async fn a_message_that_was_answered_shows_its_way_to_the_end() {
    let console = Fixture::start().await;
    let message = console.receive().await;
    console.finish("conv_3kq7zt", 17).await;
    let viewer = console.viewer().await;
    let page = viewer.get(&format!("/messages/{}", message.message_id())).await;
    page.holds(
        200,
        &[
            "<li class=\"bot\">You owe **12 €**.</li>",
            "asked billing-ai, 2 attempts, the last took 1490 ms",
            "sent as 902, 903 (replay 1)",
            "+2400 ms",
        ],
    )
    .lacks(&["not yet", "waits for its turn"]);
}

#[tokio::test]
async fn a_message_that_was_given_up_leads_to_its_dead_letter() {
    let console = Fixture::start().await;
    let message = console.receive().await;
    let id = message.message_id().as_str();
    let letter = json!({"id": "dl_1", "stage": "webhook-caller", "class": "timeout", "cause": "no answer in time",
        "stream": "INBOX", "subject": "inbox.conv_3kq7zt", "buried_at": u64::MAX / 2,
        "payload": {"text": serde_json::to_string(&message).unwrap()}});
    let letter: proto_schemas::dead_letter::DeadLetter = serde_json::from_value(letter).unwrap();
    let subject = format!("dead-letters.webhook-caller.timeout.{id}");
    let outgoing = Outgoing::new(subject, &letter, "dl_1", TraceContext::new());
    console.bus.publish(outgoing.unwrap()).await.unwrap();
    let viewer = console.viewer().await;
    viewer.get(&format!("/messages/{id}")).await.holds(
        200,
        &[
            "gave up (timeout): no answer in time",
            "href=\"/dead-letters/dl_1\"",
        ],
    );
}

#[tokio::test]
async fn a_message_that_the_inbox_does_not_have_is_not_found() {
    let console = Fixture::start().await;
    console.receive().await;
    let viewer = console.viewer().await;
    for unknown in [
        "msg_3kq7zt_other",
        "msg_none_t1",
        "x",
        "a.b",
        "%00",
        "%3Cb%3E",
        "*",
    ] {
        viewer
            .get(&format!("/messages/{unknown}"))
            .await
            .holds(404, &["not_found"])
            .lacks(&["<b>"]);
    }
}
