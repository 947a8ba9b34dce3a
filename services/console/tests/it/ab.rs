//! How the arms of a split do, over the API.

use bus::{Outgoing, TraceContext};
use proto_schemas::transcript::Transcript;
use serde_json::{Value, json};
use testkit::condition::{PATIENCE, wait_until};

use crate::fixture::Fixture;
use crate::records::{ABSENT, integration};

/// A turn of an arm of the bot `support`.
const TRANSCRIPT: &str = include_str!("../../../../proto-schemas/examples/transcript.v1/with-an-arm.json");

#[tokio::test]
async fn the_arms_of_a_split_are_counted() {
    let console = Fixture::start().await;
    let transcript: Transcript = serde_json::from_str(TRANSCRIPT).unwrap();
    let arm = transcript.conclusion.arm.as_ref().unwrap().as_str();
    let path = format!("/v1/integrations/{arm}");
    assert_eq!(
        console.put(&path, &integration(arm, "1s"), ABSENT).await.status,
        201
    );
    let bot = transcript.bot.as_str();
    let split = json!({"id": bot, "name": "B",
        "split": {"arms": [{"integration": arm, "weight": 3}, {"integration": "support"}]}});
    let put = console.put(&format!("/v1/bots/{bot}"), &split, ABSENT).await;
    assert_eq!(put.status, 201, "{}", put.body);
    let subject = format!("transcripts.{}", transcript.conversation);
    let message = Outgoing::new(subject, &transcript, "t", TraceContext::new());
    console.bus.publish(message.unwrap()).await.unwrap();

    let path = format!("/v1/bots/{bot}/ab");
    wait_until(PATIENCE, "the bot to be known", async || {
        console.get(&path).await.status == 200
    })
    .await;
    let counted = console.get(&format!("{path}?hours=1")).await.body;
    let turns = |line: &Value| (line["integration"].clone(), line["turns"].clone());
    let arms = counted["arms"].as_array().unwrap();
    let expected = [(json!(arm), json!(1)), (json!("support"), json!(0))];
    assert_eq!(arms.iter().map(turns).collect::<Vec<_>>(), expected);
    assert_eq!(
        (&arms[0]["weight"], &counted["is_whole"]),
        (&json!(3), &json!(true))
    );

    for bad in ["hours=0", "hours=2161", "hours=x", "since=1h"] {
        console.get(&format!("{path}?{bad}")).await.is(400, "bad_query");
    }
    console.get("/v1/bots/nowhere/ab").await.is(404, "not_found");
}
