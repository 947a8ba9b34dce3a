//! Direct gets.

use bus::{BusError, Entries};
use proto_schemas::context::Context;
use proto_schemas::ids::BrokerMicros;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::topology::{CONTEXTS, INBOX};

use crate::broker::{Broker, raw};

const ROOMY: usize = 1 << 20;

fn sequences(entries: &Entries) -> Vec<u64> {
    entries.list.iter().map(|entry| entry.sequence).collect()
}

async fn entries(broker: &Broker, subject: &str, from: u64, count: usize) -> Entries {
    broker
        .bus
        .entries(INBOX.name, subject, from, count, ROOMY)
        .await
        .unwrap()
}

/// `inbox.a` at 1, 3, 5, 7, 9; others between them.
async fn interleaved() -> Broker {
    let broker = Broker::start().await;
    for number in 1..=9 {
        let subject = if number % 2 == 1 { "inbox.a" } else { "inbox.ab" };
        broker
            .publish(subject, number, &format!("m{number}"))
            .await
            .unwrap();
    }
    broker
}

#[tokio::test]
async fn a_subject_is_read_page_by_page_and_nothing_else_with_it() {
    let broker = interleaved().await;
    let first = entries(&broker, "inbox.a", 0, 2).await;
    assert_eq!((sequences(&first), first.behind), (vec![1, 3], 3));
    let second = entries(&broker, "inbox.a", 4, 2).await;
    assert_eq!((sequences(&second), second.behind), (vec![5, 7], 1));
    let third = entries(&broker, "inbox.a", 8, 2).await;
    assert_eq!((sequences(&third), third.behind), (vec![9], 0));
    let record: DeliveryProgress = third.list[0].decode().unwrap();
    assert_eq!((record.failures, third.list[0].subject.as_str()), (9, "inbox.a"));
}

#[tokio::test]
async fn a_page_that_ends_with_the_last_message_has_no_more() {
    let broker = interleaved().await;
    let all = entries(&broker, "inbox.a", 1, 5).await;
    assert_eq!((sequences(&all).len(), all.behind), (5, 0));
}

#[tokio::test]
async fn nothing_behind_a_sequence_or_on_a_subject_is_an_empty_page() {
    let broker = interleaved().await;
    for (subject, from) in [("inbox.a", 10), ("inbox.a", 1_000_000), ("inbox.none", 1)] {
        let found = entries(&broker, subject, from, 10).await;
        assert_eq!((found.list.len(), found.behind), (0, 0), "{subject} from {from}");
    }
}

#[tokio::test]
async fn a_page_is_limited_in_bytes_too() {
    let broker = Broker::start().await;
    for number in 0..5 {
        broker
            .bus
            .publish(raw("inbox.a", 100_000, &format!("m{number}")))
            .await
            .unwrap();
    }
    let page = broker
        .bus
        .entries(INBOX.name, "inbox.a", 1, 100, 250_000)
        .await
        .unwrap();
    assert!((1..5).contains(&page.list.len()), "{} of 5", page.list.len());
    assert!(page.behind > 0);
}

#[tokio::test]
async fn the_last_message_of_a_subject_is_found() {
    let broker = interleaved().await;
    let last = broker.bus.last(INBOX.name, "inbox.a").await.unwrap().unwrap();
    assert_eq!(
        (last.sequence, last.decode::<DeliveryProgress>().unwrap().failures),
        (9, 9)
    );
    assert!(last.stored_at.starts_with("20"), "{}", last.stored_at);
    assert!(broker.bus.last(INBOX.name, "inbox.none").await.unwrap().is_none());
}

#[tokio::test]
async fn what_is_of_another_type_is_not_decoded() {
    let broker = interleaved().await;
    let last = broker.bus.last(INBOX.name, "inbox.a").await.unwrap().unwrap();
    assert!(last.decode::<Context>().is_err());
}

#[tokio::test]
async fn a_deleted_message_is_not_read_and_cannot_be_deleted_again() {
    let broker = interleaved().await;
    broker.bus.delete(INBOX.name, 3).await.unwrap();
    assert_eq!(sequences(&entries(&broker, "inbox.a", 1, 10).await), [1, 5, 7, 9]);
    let refusal = broker.bus.delete(INBOX.name, 3).await.unwrap_err();
    assert!(matches!(refusal, BusError::Refused { .. }), "{refusal}");
}

#[tokio::test]
async fn the_first_message_from_a_sequence_on_is_found_or_there_is_none() {
    let broker = interleaved().await;
    let first = async |from| {
        let found = broker.bus.first(INBOX.name, "inbox.a", from).await.unwrap();
        found.map(|entry| entry.sequence)
    };
    assert_eq!((first(0).await, first(1).await), (Some(1), Some(1)));
    assert_eq!((first(2).await, first(9).await), (Some(3), Some(9)));
    assert_eq!((first(10).await, first(1_000_000).await), (None, None));
}

#[tokio::test]
async fn the_first_message_since_a_moment_is_found_or_there_is_none() {
    let broker = Broker::start().await;
    broker.publish("inbox.a", 1, "m1").await.unwrap();
    let between = broker.bus.time(&CONTEXTS).await.unwrap();
    broker.publish("inbox.b", 2, "m2").await.unwrap();
    broker.publish("inbox.a", 3, "m3").await.unwrap();
    let after = broker.bus.time(&CONTEXTS).await.unwrap();

    let first = async |subject, since| {
        let found = broker.bus.first_since(INBOX.name, subject, since).await.unwrap();
        found.map(|entry| entry.sequence)
    };
    assert_eq!(first("inbox.>", BrokerMicros(0)).await, Some(1));
    assert_eq!(first("inbox.>", between).await, Some(2));
    assert_eq!(first("inbox.a", between).await, Some(3));
    assert_eq!(first("inbox.>", after).await, None);
}
