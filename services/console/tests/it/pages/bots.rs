//! The page of a bot.

use bus::{Outgoing, TraceContext};
use proto_schemas::transcript::Transcript;
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use crate::fixture::Fixture;
use crate::records::{ABSENT, integration};

const TRANSCRIPT: &str = include_str!("../../../../../proto-schemas/examples/transcript.v1/with-an-arm.json");

#[tokio::test]
async fn a_bot_shows_who_answers_where_and_how_its_arms_do() {
    let console = Fixture::start().await;
    let transcript: Transcript = serde_json::from_str(TRANSCRIPT).unwrap();
    let arm = transcript.conclusion.arm.as_ref().unwrap().as_str();
    let path = format!("/v1/integrations/{arm}");
    let put = console.put(&path, &integration(arm, "1s"), ABSENT).await;
    assert_eq!(put.status, 201);
    let id = transcript.bot.as_str();
    let bot = json!({"id": id, "name": "B", "fallback": "support", "overlap": "coalesce",
        "split": {"arms": [{"integration": arm, "weight": 3}, {"integration": "support"}]}});
    let put = console.put(&format!("/v1/bots/{id}"), &bot, ABSENT).await;
    assert_eq!(put.status, 201, "{}", put.body);
    let connection = json!({"id": "chat", "bot": id,
        "channel": {"slack": {"token": "env:T", "signing_secret": "env:S"}}});
    let put = console.put("/v1/connections/chat", &connection, ABSENT).await;
    assert_eq!(put.status, 201, "{}", put.body);
    let subject = format!("transcripts.{}", transcript.conversation);
    let message = Outgoing::new(subject, &transcript, "t", TraceContext::new());
    console.bus.publish(message.unwrap()).await.unwrap();

    let viewer = console.viewer().await;
    let page = format!("/bots/{id}");
    wait_until(PATIENCE, "the connection to be known", async || {
        viewer.get(&page).await.html.contains("/connections/chat")
    })
    .await;
    let arm_link = format!("href=\"/integrations/{arm}\"");
    viewer.get(&page).await.holds(
        200,
        &[
            &arm_link,
            "split by conversation",
            "all that wait are answered together",
            "<td class=\"number\" data-label=\"Turns\">1</td>",
            "<td class=\"number\" data-label=\"Weight\">3</td>",
        ],
    );
    viewer
        .get(&format!("{page}?hours=168"))
        .await
        .holds(200, &["?hours=168\" aria-current=\"true\""]);
}
