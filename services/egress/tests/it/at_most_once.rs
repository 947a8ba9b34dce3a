//! A connection that would rather lose a part than send it twice.

use std::time::Instant;

use proto_schemas::delivery::Delivery;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::subjects;
use proto_schemas::transcript::Receipt;
use serde_json::json;

use crate::samples::{CHAT, over_telegram, over_telegram_once, sent};
use crate::world::World;

/// The delivery ends with a dead letter that says so.
async fn is_given_up(world: &World, delivery: &Delivery) {
    let class = "outcome_unknown".to_owned();
    assert_eq!(
        world.conclude(delivery).await.receipt,
        Receipt::Undeliverable { class: class.clone() }
    );
    let letters = world.dead_letters().await;
    assert_eq!(
        letters.iter().map(|letter| &letter.class).collect::<Vec<_>>(),
        [&class]
    );
}

#[tokio::test]
async fn a_part_whose_answer_is_lost_is_not_sent_again() {
    let world = World::started().await;
    world.telegram.lose_next_answer("sendMessage");
    let delivery = over_telegram_once("a", "said");
    world.offer(&delivery).await;
    is_given_up(&world, &delivery).await;
    assert_eq!(world.telegram.calls("sendMessage"), 1);

    world.telegram.lose_next_answer("sendMessage");
    let elsewhere = over_telegram("b", "said");
    world.offer(&elsewhere).await;
    world.conclude(&elsewhere).await;
    assert_eq!(world.telegram.calls("sendMessage"), 3, "by default it is");
}

#[tokio::test]
async fn a_part_that_was_under_way_when_the_process_died_is_not_sent_again() {
    let mut world = World::new().await;
    let delivery = over_telegram_once("a", "said");
    let key = subjects::delivery_progress(&delivery.conclusion.turn, 0);
    let under_way = DeliveryProgress {
        under_way: Some("another try".to_owned()),
        ..DeliveryProgress::default()
    };
    world.keep(&key, &under_way).await;
    world.offer_again(&delivery).await;
    world.start(&[]).await;
    is_given_up(&world, &delivery).await;
    assert_eq!(world.telegram.calls("sendMessage"), 0);
}

#[tokio::test]
async fn what_is_under_way_is_written_down_before_and_taken_back_after() {
    let world = World::started().await;
    let delivery = over_telegram_once("a", &["a", "b"].map(|letter| letter.repeat(4000)).join("\n\n"));
    let gate = world.telegram.hold();
    world.offer(&delivery).await;
    world.telegram.wait_for_sent(1).await;
    let progress = world.progress(&delivery).await.unwrap();
    assert_eq!(
        (progress.platform_message_ids.len(), progress.under_way.is_some()),
        (0, true)
    );
    gate.release();
    let written = world.conclude(&delivery).await;
    assert_eq!(written.receipt, sent(&["1000", "1001"]));
    assert_eq!(world.telegram.sent_to(CHAT).len(), 2);
}

#[tokio::test]
async fn a_part_that_is_known_not_to_have_arrived_is_sent_again() {
    let world = World::started().await;
    let wait = json!({ "retry_after": 1 });
    world
        .telegram
        .fail_next("sendMessage", 429, "Too Many Requests: retry after 1", Some(wait));
    let delivery = over_telegram_once("a", "said");
    let began = Instant::now();
    world.offer(&delivery).await;
    assert_eq!(world.conclude(&delivery).await.receipt, sent(&["1000"]));
    assert!(began.elapsed().as_secs_f64() >= 1.0);
    assert_eq!(world.telegram.calls("sendMessage"), 2);
}
