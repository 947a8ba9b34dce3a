//! What was said, over the API.

use bus::{Outgoing, TraceContext};
use proto_schemas::ids::ConversationId;
use proto_schemas::transcript::Transcript;
use reqwest::Method;

use crate::fixture::{Fixture, VIEWER, answer};

const TRANSCRIPT: &str = include_str!("../../../../proto-schemas/examples/transcript.v1/full.json");

impl Fixture {
    /// Publishes the sample turn as one of a conversation, with a number of its own.
    pub(crate) async fn finish(&self, conversation: &str, number: u64) {
        let mut transcript: Transcript = serde_json::from_str(TRANSCRIPT).unwrap();
        transcript.conversation = ConversationId::new(conversation).unwrap();
        transcript.answered_through = number;
        let subject = format!("transcripts.{conversation}");
        let identity = format!("{conversation}:{number}");
        let message = Outgoing::new(subject, &transcript, &identity, TraceContext::new());
        self.bus.publish(message.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_viewer_finds_a_conversation_and_reads_its_turns() {
    let console = Fixture::start().await;
    for (conversation, number) in [("conv_a", 1), ("conv_b", 2), ("conv_b", 3)] {
        console.finish(conversation, number).await;
    }
    let get = async |path: &str| answer(console.request_as(VIEWER, Method::GET, path)).await;
    let first = get("/v1/conversations?limit=1").await;
    assert_eq!(first.body["items"][0]["id"], "conv_b");
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let all = get("/v1/conversations").await;
    assert_eq!(all.body["items"][1]["id"], "conv_a");
    assert_eq!(
        get(&format!("/v1/conversations?cursor={cursor}")).await.status,
        200
    );

    let page = get("/v1/conversations/conv_b?limit=1").await;
    assert_eq!(page.body["items"][0]["answered_through"], 2);
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let rest = get(&format!("/v1/conversations/conv_b?cursor={cursor}")).await;
    assert_eq!(rest.body["items"][0]["answered_through"], 3);
    assert!(rest.body.get("next_cursor").is_none());
}

#[tokio::test]
async fn a_conversation_that_is_none_is_not_found() {
    let console = Fixture::start().await;
    for id in ["conv_nowhere", "..%2f..", "%00", "conv_a.b"] {
        console
            .get(&format!("/v1/conversations/{id}"))
            .await
            .is(404, "not_found");
    }
    for path in ["/v1/conversations", "/v1/conversations/conv_a"] {
        for bad in ["cursor=x", "cursor=-1", "limit=0", "what=1"] {
            console.get(&format!("{path}?{bad}")).await.is(400, "bad_query");
        }
    }
}
