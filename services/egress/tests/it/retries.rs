//! Sends that fail: repeated, waited for, or given up once.

use std::time::Duration;

use proto_schemas::context::TurnResult;
use proto_schemas::dead_letter::Payload;
use proto_schemas::delivery::Delivery;
use proto_schemas::transcript::{Receipt, Transcript};
use serde_json::json;

use crate::samples::{CHAT, over_http, over_telegram, sent};
use crate::world::World;

async fn assert_given_up(world: &World, delivery: &Delivery, class: &str) -> Transcript {
    let written = world.conclude(delivery).await;
    assert_eq!(
        written.receipt,
        Receipt::Undeliverable {
            class: class.to_owned()
        }
    );
    let letters = world.dead_letters().await;
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(letter.class, class);
    assert_eq!(letter.subject, format!("deliveries.{}", delivery.conversation));
    let Payload::Text(payload) = &letter.payload else {
        panic!("{letter:?}")
    };
    assert_eq!(serde_json::from_str::<Delivery>(payload).unwrap(), *delivery);
    assert_eq!(world.outcomes("dead_letter").await, 1);
    written
}

#[tokio::test]
async fn a_send_that_fails_is_made_again_under_the_same_identity() {
    let world = World::started().await;
    let delivery = over_http("a", "again");
    world.callback.fail_next(1, 503);
    world.offer(&delivery).await;
    let written = world.conclude(&delivery).await;
    assert_eq!(written.receipt, sent(&["turn_a_m1_0"]));
    let attempts = world.callback.attempts();
    assert_eq!(attempts.len(), 2);
    assert_eq!(
        (attempts[0].id.as_str(), attempts[1].id.as_str()),
        ("turn_a_m1_0", "turn_a_m1_0")
    );
    assert!(attempts[1].at - attempts[0].at >= Duration::from_millis(800));
    assert_eq!(world.progress(&delivery).await.unwrap().failures, 1);
}

#[tokio::test]
async fn a_used_up_budget_ends_in_a_dead_letter_and_a_transcript() {
    let world = World::giving_up_at(2).await;
    let delivery = over_http("a", "never");
    world.callback.fail_next(3, 500);
    world.offer(&delivery).await;
    let written = assert_given_up(&world, &delivery, "server_error").await;
    assert_eq!(written.conclusion.result.text(), "never");
    assert_eq!(world.callback.attempts().len(), 2);
}

#[tokio::test]
async fn a_user_who_blocked_the_bot_is_not_tried_again() {
    let world = World::started().await;
    world.telegram.block_chat(CHAT);
    let delivery = over_telegram("a", "hello?");
    world.offer(&delivery).await;
    assert_given_up(&world, &delivery, "forbidden").await;
    assert_eq!(world.telegram.calls("sendMessage"), 1);
}

#[tokio::test]
async fn a_callback_that_is_gone_is_not_tried_again() {
    let world = World::started().await;
    world.callback.fail_next(1, 410);
    let delivery = over_http("a", "hello?");
    world.offer(&delivery).await;
    assert_given_up(&world, &delivery, "gone").await;
    assert_eq!(world.callback.attempts().len(), 1);
}

#[tokio::test]
async fn a_platform_that_asks_for_a_pause_gets_it_and_no_attempt_is_spent() {
    // Any failure that counts would be the last.
    let world = World::giving_up_at(1).await;
    let (web, tg) = (over_http("web", "hello"), over_telegram("tg", "hello"));
    world.callback.fail_next_with_retry_after(1, 429, 1);
    let parameters = Some(json!({"retry_after": 1}));
    world
        .telegram
        .fail_next("sendMessage", 429, "Too Many Requests: retry after 1", parameters);
    world.offer(&web).await;
    world.offer(&tg).await;
    for delivery in [&web, &tg] {
        assert!(matches!(
            world.conclude(delivery).await.receipt,
            Receipt::Sent { .. }
        ));
        assert!(world.progress(delivery).await.is_none());
    }
    let attempts = world.callback.attempts();
    assert!(attempts[1].at - attempts[0].at >= Duration::from_secs(1));
    assert_eq!((attempts.len(), world.telegram.calls("sendMessage")), (2, 2));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_again() {
    let world = World::started().await;
    world.telegram.lose_next_answer("sendMessage");
    let delivery = over_telegram("a", "twice");
    world.offer(&delivery).await;
    world.conclude(&delivery).await;
    // Telegram knows no identity of ours, so this is the one message that may come twice.
    assert_eq!(world.telegram.sent_to(CHAT).len(), 2);
}

#[tokio::test]
async fn an_error_message_that_cannot_be_sent_has_a_dead_letter_of_its_own() {
    let world = World::giving_up_at(1).await;
    let failure = TurnResult::Failure {
        class: "timeout".to_owned(),
        message: "Sorry.".to_owned(),
    };
    let delivery = crate::samples::with_result(over_http("a", ""), failure.clone());
    world.callback.fail_next(1, 500);
    world.offer(&delivery).await;
    let written = assert_given_up(&world, &delivery, "server_error").await;
    assert_eq!(written.conclusion.result, failure);
}
