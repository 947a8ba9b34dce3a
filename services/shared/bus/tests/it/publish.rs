//! What a stream says to a publish.

use bus::{BusError, Published};
use proto_schemas::topology::{INBOX, TURN_WORK};
use proto_schemas::wire::{MESSAGE_TYPE, TRACEPARENT};
use testkit::condition::{PATIENCE, wait_until};

use crate::broker::{Broker, raw};

/// The server's `max_payload`.
const MAX_PAYLOAD: usize = 1 << 20;

#[tokio::test]
async fn a_publish_is_accepted_once_and_then_recognised() {
    let broker = Broker::start().await;
    assert_eq!(
        broker.publish("inbox.a", 1, "m1").await.unwrap(),
        Published::Accepted { sequence: 1 }
    );
    assert_eq!(
        broker.publish("inbox.a", 1, "m1").await.unwrap(),
        Published::Duplicate
    );
    assert_eq!(
        broker.publish("inbox.a", 1, "m2").await.unwrap(),
        Published::Accepted { sequence: 2 }
    );
}

#[tokio::test]
async fn type_and_trace_travel_with_a_message() {
    let broker = Broker::start().await;
    broker.publish("inbox.a", 1, "m1").await.unwrap();
    let entry = broker.bus.last(INBOX.name, "inbox.a").await.unwrap().unwrap();
    assert_eq!(entry.header(MESSAGE_TYPE), Some("delivery-progress.v1"));
    assert!(bus::TraceContext::parse(entry.header(TRACEPARENT).unwrap()).is_some());
}

#[tokio::test]
async fn a_slot_takes_one_message_until_it_is_acked() {
    let broker = Broker::start().await;
    broker.publish("turns.a", 1, "t1").await.unwrap();
    let refusal = broker.publish("turns.a", 2, "t2").await.unwrap_err();
    assert!(matches!(refusal, BusError::SlotTaken), "{refusal}");
    // What it holds it recognises: the identity is looked at first.
    assert_eq!(
        broker.publish("turns.a", 1, "t1").await.unwrap(),
        Published::Duplicate
    );
    // Another conversation has a slot of its own.
    broker.publish("turns.b", 1, "t3").await.unwrap();

    let mut work = broker
        .bus
        .consumer(&TURN_WORK)
        .await
        .unwrap()
        .work(1)
        .await
        .unwrap();
    work.next().await.unwrap().ack().await.unwrap();
    wait_until(PATIENCE, "the slot to be free", async || {
        broker.publish("turns.a", 2, "t2").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_terminated_message_frees_its_slot() {
    let broker = Broker::start().await;
    broker.publish("turns.a", 1, "t1").await.unwrap();
    let mut work = broker
        .bus
        .consumer(&TURN_WORK)
        .await
        .unwrap()
        .work(1)
        .await
        .unwrap();
    work.next().await.unwrap().term().await.unwrap();
    wait_until(PATIENCE, "the slot to be free", async || {
        broker.publish("turns.a", 2, "t2").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_message_beyond_the_servers_limit_is_refused_here() {
    let broker = Broker::start().await;
    let refusal = broker
        .bus
        .publish(raw("inbox.a", MAX_PAYLOAD + 1, "large"))
        .await
        .unwrap_err();
    assert!(matches!(refusal, BusError::TooLarge), "{refusal}");
    // Headers count too, so the largest payload is a little smaller than the limit.
    broker
        .bus
        .publish(raw("inbox.a", MAX_PAYLOAD - 1024, "fits"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_subject_that_no_stream_takes_is_no_success() {
    let broker = Broker::start().await;
    let refusal = broker.publish("nowhere.a", 1, "m1").await.unwrap_err();
    assert!(matches!(refusal, BusError::Unavailable(_)), "{refusal}");
}
