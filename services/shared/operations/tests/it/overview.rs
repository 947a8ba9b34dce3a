//! How the pipeline does.

use operations::overview::{MOST_BREAKERS, look};
use proto_schemas::dead_letter::Stage;
use serde_json::json;

use crate::breakers::open;
use crate::broker::Broker;
use crate::samples::{CONVERSATION, letter, received, transcript, turn};

#[tokio::test]
async fn what_waits_what_was_given_up_and_what_was_finished_is_counted() {
    let broker = Broker::start().await;
    let quiet = look(&broker.bus).await.unwrap();
    let waits = |pending: u64| pending > 0;
    assert!(
        !quiet
            .waiting
            .iter()
            .any(|stage| waits(stage.pending + stage.in_work))
    );
    assert!(quiet.waiting.iter().all(|stage| stage.oldest.is_none()));
    assert_eq!((quiet.dead_letters, quiet.turns_finished), (0, 0));

    for number in 0..3 {
        broker
            .publish(&format!("inbox.conv_{number}"), &received(json!({})))
            .await;
    }
    broker
        .publish(&format!("turns.{CONVERSATION}"), &turn(json!({})))
        .await;
    broker
        .publish(&format!("transcripts.{CONVERSATION}"), &transcript(json!({})))
        .await;
    broker
        .publish("dead-letters.webhook-caller.timeout.dl_one", &letter("dl_one"))
        .await;
    let busy = look(&broker.bus).await.unwrap();
    let of = |stage: Stage, stream: &str| {
        let mut waiting = busy.waiting.iter();
        let found = waiting.find(|waiting| waiting.stage == stage && waiting.stream == stream);
        let found = found.unwrap();
        (found.pending, found.in_work, found.oldest.is_some())
    };
    assert_eq!(of(Stage::ContextBuilder, "INBOX"), (3, 0, true));
    assert_eq!(of(Stage::WebhookCaller, "TURNS"), (1, 0, true));
    assert_eq!(of(Stage::Egress, "DELIVERIES"), (0, 0, false));
    assert_eq!((busy.dead_letters, busy.turns_finished), (1, 1));
    assert!(busy.at >= quiet.at);
}

#[tokio::test]
async fn no_more_breakers_are_shown_than_are_asked_about() {
    let broker = Broker::start().await;
    for number in 0..MOST_BREAKERS {
        broker.find(&format!("i{number}"), open()).await;
    }
    let all = look(&broker.bus).await.unwrap();
    assert_eq!(
        (all.breakers.len(), all.has_more_breakers),
        (MOST_BREAKERS, false)
    );
    broker.find("one-more", open()).await;
    let some = look(&broker.bus).await.unwrap();
    assert_eq!(
        (some.breakers.len(), some.has_more_breakers),
        (MOST_BREAKERS, true)
    );
}

#[tokio::test]
async fn breakers_that_were_found_under_earlier_settings_hide_no_open_one() {
    let broker = Broker::start().await;
    for number in 0..=MOST_BREAKERS {
        let id = format!("i{number}");
        broker.find(&id, open()).await;
        broker.change(&id).await;
    }
    broker.find("open", open()).await;
    let look = look(&broker.bus).await.unwrap();
    let shown: Vec<&str> = look
        .breakers
        .iter()
        .map(|breaker| breaker.integration.as_str())
        .collect();
    assert_eq!((shown, look.has_more_breakers), (vec!["open"], false));
}
