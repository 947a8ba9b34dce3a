//! A delivery that comes again: what is done is not done again, but where an operator asks for it.

use proto_schemas::delivery::Delivery;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::subjects;
use testkit::condition::{PATIENCE, wait_until};

use crate::samples::{CHAT, over_http, over_telegram, sent, transcript};
use crate::world::World;

/// Three parts in Telegram.
fn long_text() -> String {
    ["a", "b", "c"].map(|letter| letter.repeat(4000)).join("\n\n")
}

fn begins(world: &World) -> Vec<String> {
    world
        .telegram
        .sent_to(CHAT)
        .iter()
        .map(|part| part.text[..1].to_owned())
        .collect()
}

#[tokio::test]
async fn a_delivery_that_died_after_its_transcript_is_not_sent_again() {
    let mut world = World::new().await;
    let delivery = over_http("a", "said");
    let subject = subjects::transcript(&delivery.conversation);
    world
        .publish(subject, &transcript(&delivery, sent(&["turn_a_m1_0"])))
        .await;
    world.offer_again(&delivery).await;
    world.start(&[]).await;
    world.conclude(&delivery).await;
    assert!(world.callback.attempts().is_empty());
    assert_eq!(world.outcomes("duplicate").await, 1);
}

#[tokio::test]
async fn a_finished_delivery_that_the_broker_left_in_its_slot_is_removed() {
    let mut world = World::new().await;
    let delivery = over_http("a", "said");
    let subject = subjects::transcript(&delivery.conversation);
    world
        .publish(subject, &transcript(&delivery, sent(&["turn_a_m1_0"])))
        .await;
    world.leave(&delivery).await;
    world.start(&[]).await;
    world.conclude(&delivery).await;
    assert!(world.callback.attempts().is_empty());
}

#[tokio::test]
async fn a_finished_delivery_that_comes_as_a_new_one_is_not_sent_again() {
    let world = World::started().await;
    let delivery = over_http("a", "said");
    let subject = subjects::transcript(&delivery.conversation);
    world
        .publish(subject, &transcript(&delivery, sent(&["turn_a_m1_0"])))
        .await;
    world.offer(&delivery).await;
    world.conclude(&delivery).await;
    assert!(world.callback.attempts().is_empty());
    assert_eq!(world.outcomes("duplicate").await, 1);
}

#[tokio::test]
async fn a_retry_goes_on_at_the_part_that_failed() {
    let world = World::started().await;
    let delivery = over_telegram("a", &long_text());
    let gate = world.telegram.hold();
    world.offer(&delivery).await;
    world.telegram.wait_for_sent(1).await;
    world
        .telegram
        .fail_next("sendMessage", 500, "Internal Server Error", None);
    gate.release();
    let written = world.conclude(&delivery).await;

    assert_eq!(begins(&world), ["a", "b", "c"]);
    assert_eq!(world.telegram.calls("sendMessage"), 4);
    assert_eq!(written.receipt, sent(&["1000", "1001", "1002"]));
    assert_eq!(world.outcomes("retry").await, 1);
}

#[tokio::test]
async fn a_delivery_that_died_between_two_parts_goes_on_at_the_second() {
    let mut world = World::new().await;
    let delivery = over_telegram("a", &long_text());
    let key = subjects::delivery_progress(&delivery.conclusion.turn, 0);
    world
        .keep(
            &key,
            &DeliveryProgress {
                platform_message_ids: vec!["900".to_owned()],
                failures: 0,
                under_way: None,
            },
        )
        .await;
    world.offer_again(&delivery).await;
    world.start(&[]).await;
    let written = world.conclude(&delivery).await;
    assert_eq!(begins(&world), ["b", "c"]);
    assert_eq!(written.receipt, sent(&["900", "1000", "1001"]));
}

#[tokio::test]
async fn a_delivery_that_died_before_its_transcript_is_sent_under_the_same_identity() {
    let mut world = World::new().await;
    let delivery = over_http("a", "said");
    world.offer_again(&delivery).await;
    world.start(&[]).await;
    world.conclude(&delivery).await;
    assert_eq!(world.callback.received()[0].id, "turn_a_m1_0");
}

#[tokio::test]
async fn a_replay_is_sent_again_and_the_cursor_stays() {
    let world = World::started().await;
    let old = over_http("a", "said");
    let last = Delivery {
        answered_through: 9,
        ..over_http("a", "said later")
    };
    let subject = subjects::transcript(&old.conversation);
    world.publish(subject, &transcript(&last, sent(&["x"]))).await;
    let replay = Delivery { replay: 1, ..old };
    world.offer(&replay).await;
    world.wait_until_gone(&replay).await;

    assert_eq!(world.callback.received()[0].id, "turn_a_m1_0_r1");
    let written = world.transcripts(&replay).await.pop().unwrap();
    assert_eq!((written.replay, written.answered_through), (1, 9));
    assert_eq!(written.receipt, sent(&["turn_a_m1_0_r1"]));
}

#[tokio::test]
async fn a_replay_that_comes_again_after_its_transcript_is_not_sent_again() {
    let mut world = World::new().await;
    let replay = Delivery {
        replay: 1,
        ..over_http("a", "said")
    };
    let subject = subjects::transcript(&replay.conversation);
    world.publish(subject, &transcript(&replay, sent(&["x"]))).await;
    world.offer_again(&replay).await;
    world.start(&[]).await;
    world.conclude(&replay).await;
    assert!(world.callback.attempts().is_empty());
}

#[tokio::test]
async fn the_next_reply_of_a_conversation_waits_for_this_one() {
    let world = World::started().await;
    let gate = world.callback.hold();
    let first = over_http("a", "first");
    world.offer(&first).await;
    world.callback.wait_for(1).await;
    let mut second = over_http("a", "second");
    second.answered_through = 4;
    let message = bus::Outgoing::new(
        subjects::delivery(&second.conversation),
        &second,
        "second",
        bus::TraceContext::new(),
    );
    let refusal = world.bus.publish(message.unwrap()).await.unwrap_err();
    assert!(matches!(refusal, bus::BusError::SlotTaken), "{refusal}");
    gate.release();
    world.conclude(&first).await;
    world.offer(&second).await;
    wait_until(PATIENCE, "both replies", async || {
        world.callback.received().len() == 2
    })
    .await;
}
