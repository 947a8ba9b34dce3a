//! Conversations: found, read, begun afresh, removed.

use bus::{Outgoing, TraceContext};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::topology::INBOX;
use proto_schemas::transcript::Transcript;
use serde_json::{Value, json};

use super::refusals::HOSTILE;
use crate::fixture::Fixture;

const TRANSCRIPT: &str = include_str!("../../../../../proto-schemas/examples/transcript.v1/full.json");
const PAGE: &str = "/conversations/conv_3kq7zt";

impl Fixture {
    /// How many resets the inbox of the sample's conversation has.
    async fn resets(&self) -> usize {
        let mut resets = 0;
        let inbox = self.bus.each(INBOX.name, "inbox.conv_3kq7zt", 1, |entry| {
            resets += usize::from(matches!(entry.decode(), Ok(InboxEntry::Reset(_))));
        });
        inbox.await.unwrap();
        resets
    }
}

#[tokio::test]
async fn conversations_are_listed_the_latest_first_and_by_page() {
    let console = Fixture::start().await;
    let viewer = console.viewer().await;
    viewer
        .get("/conversations")
        .await
        .holds(200, &["No turn has been finished yet."]);
    for number in 0..51 {
        console.finish(&format!("conv_{number:02}"), number).await;
    }
    let first = viewer.get("/conversations").await;
    first
        .holds(
            200,
            &[
                "href=\"/conversations/conv_50\"",
                "Ada Example",
                "@ada",
                "support",
            ],
        )
        .lacks(&["/conversations/conv_00\""]);
    let (_, rest) = first.html.split_once("/conversations?cursor=").unwrap();
    let cursor = rest.split('"').next().unwrap();
    let earlier = viewer.get(&format!("/conversations?cursor={cursor}")).await;
    earlier
        .holds(200, &["/conversations/conv_00\""])
        .lacks(&["/conversations/conv_01\"", "cursor="]);
    for address in ["/conversations", "/conversations/conv_00"] {
        let page = viewer.get(&format!("{address}?cursor=x")).await;
        page.holds(400, &["bad_query"]);
    }
}

#[tokio::test]
async fn a_conversation_shows_what_was_said_and_how_it_was_answered() {
    let console = Fixture::start().await;
    for number in 1..=51 {
        console.finish("conv_3kq7zt", number).await;
    }
    let viewer = console.viewer().await;
    let page = viewer.get(PAGE).await;
    page.holds(
        200,
        &[
            "What do I owe? 🧾",
            "You owe **12 €**.",
            "billing-ai, 1490 ms, 2 attempts",
            "href=\"/messages/msg_3kq7zt_t901\"",
            "invoice.pdf",
            "film.mov (larger than 20 MB)",
            "https://bot.example.com/chart.png",
        ],
    )
    .lacks(&["Start it afresh", "Remove"]);
    let (_, rest) = page.html.split_once(&format!("{PAGE}?cursor=")).unwrap();
    let cursor = rest.split('"').next().unwrap();
    let later = viewer.get(&format!("{PAGE}?cursor={cursor}")).await;
    later.holds(200, &["You owe"]).lacks(&["cursor="]);
    assert_eq!(later.html.matches("You owe").count(), 1);
    for nowhere in ["conv_nowhere", "a.b", "%00", "%3Cb%3E"] {
        let page = viewer.get(&format!("/conversations/{nowhere}")).await;
        page.holds(404, &["not_found"]).lacks(&["<b>"]);
    }
}

#[tokio::test]
async fn an_operator_has_a_conversation_start_afresh_once_for_each_form() {
    let console = Fixture::start().await;
    console.finish("conv_3kq7zt", 17).await;
    let (operator, viewer) = (console.operator().await, console.viewer().await);
    let reset = format!("{PAGE}/reset");
    let request = operator.get(PAGE).await.value("request");
    let form = [("request", request.as_str())];
    operator.post(&reset, &form).await.holds(404, &["not_found"]);
    console.receive().await;
    viewer.post(&reset, &form).await.holds(403, &["forbidden"]);
    assert_eq!(console.resets().await, 0);
    for _ in 0..2 {
        let done = format!("{PAGE}?done=reset");
        operator.post(&reset, &form).await.leads_to(&done);
        operator.get(&done).await.holds(200, &["It starts afresh"]);
        assert_eq!(console.resets().await, 1);
    }
    let another = operator.get(PAGE).await.value("request");
    operator
        .post(&reset, &[("request", &another)])
        .await
        .holds(303, &[]);
    assert_eq!(console.resets().await, 2);
}

#[tokio::test]
async fn an_operator_removes_a_conversation() {
    let console = Fixture::start().await;
    console.finish("conv_3kq7zt", 17).await;
    console.receive().await;
    let (operator, viewer) = (console.operator().await, console.viewer().await);
    let forget = format!("{PAGE}/forget");
    viewer.post(&forget, &[]).await.holds(403, &["forbidden"]);
    operator.get(PAGE).await.holds(200, &["Remove the conversation"]);
    operator
        .post(&forget, &[])
        .await
        .holds(200, &["is removed", "1 transcripts", "0 files"]);
    operator
        .get("/conversations")
        .await
        .holds(200, &["No turn has been finished yet."]);
    operator.get(PAGE).await.holds(404, &["not_found"]);
    operator.post(&forget, &[]).await.holds(404, &["not_found"]);
    let left = console.bus.last(INBOX.name, "inbox.conv_3kq7zt").await.unwrap();
    assert!(left.is_none(), "{left:?}");
}

#[tokio::test]
async fn what_users_and_webhooks_have_written_is_text() {
    let console = Fixture::start().await;
    let mut transcript: Value = serde_json::from_str(TRANSCRIPT).unwrap();
    transcript["user"] = json!({"id": HOSTILE, "name": HOSTILE, "username": HOSTILE});
    let question = &mut transcript["question"][0];
    question["text"] = HOSTILE.into();
    question["files"][0]["name"] = HOSTILE.into();
    question["files"][0]["mime_type"] = HOSTILE.into();
    question["files"][1]["name"] = HOSTILE.into();
    question["files"][1]["reason"] = HOSTILE.into();
    let result = &mut transcript["conclusion"]["result"];
    result["content"] = HOSTILE.into();
    result["attachments"][0]["url"] = HOSTILE.into();
    result["buttons"] = json!([{"label": HOSTILE, "value": HOSTILE}]);
    let transcript: Transcript = serde_json::from_value(transcript).unwrap();
    let subject = "transcripts.conv_3kq7zt".to_owned();
    let outgoing = Outgoing::new(subject, &transcript, "t", TraceContext::new());
    console.bus.publish(outgoing.unwrap()).await.unwrap();
    let entry = console.receive().await;
    let viewer = console.viewer().await;
    let message = format!("/messages/{}", entry.message_id());
    for page in ["/conversations", PAGE, &message] {
        viewer
            .get(page)
            .await
            .holds(200, &["&lt;script&gt;"])
            .lacks(&["<script>", "<b>"]);
    }
}
