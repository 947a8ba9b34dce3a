//! How far behind a consumer is, and what a stream holds.

use std::time::Duration;

use bus::{Entry, Work};
use proto_schemas::topology::{ConsumerSpec, DEAD_LETTERS, INBOX_EVENTS, TURN_WORK};
use testkit::condition::{PATIENCE, wait_until};

use crate::broker::Broker;

async fn take(broker: &Broker, consumer: &ConsumerSpec, count: usize) -> Vec<Work> {
    let consumer = broker.bus.consumer(consumer).await.unwrap();
    let mut pull = consumer.work(16).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(pull.next().await.unwrap());
    }
    taken
}

async fn stored(broker: &Broker, stream: &str, subject: &str) -> Entry {
    broker.bus.last(stream, subject).await.unwrap().unwrap()
}

/// The oldest message that is not settled must become that of the subject, or none.
async fn oldest_becomes(broker: &Broker, consumer: &ConsumerSpec, subject: Option<&str>) {
    let expected = match subject {
        Some(subject) => stored(broker, consumer.stream, subject).await.stored_millis(),
        None => None,
    };
    wait_until(PATIENCE, &format!("{subject:?} to be the oldest"), async || {
        broker.bus.lag(consumer).await.unwrap().oldest == expected
    })
    .await;
}

/// Publishes to subjects in milliseconds of their own, so that the times tell the messages apart.
async fn publish_apart(broker: &Broker, subjects: &[&str]) {
    for (number, subject) in (0..).zip(subjects) {
        broker.publish(subject, number, subject).await.unwrap();
        let (stream, _) = subject.split_once('.').unwrap();
        let at = stored(broker, &stream.to_uppercase(), subject)
            .await
            .stored_millis()
            .unwrap();
        wait_until(PATIENCE, "the broker's next millisecond", async || {
            broker.bus.time(&proto_schemas::topology::LIMITS).await.unwrap().0 / 1000 > at.0
        })
        .await;
    }
}

#[tokio::test]
async fn the_oldest_unsettled_message_of_a_stream_that_keeps_its_messages_is_told() {
    let broker = Broker::start().await;
    oldest_becomes(&broker, &INBOX_EVENTS, None).await;
    publish_apart(&broker, &["inbox.a", "inbox.b", "inbox.c"]).await;
    oldest_becomes(&broker, &INBOX_EVENTS, Some("inbox.a")).await;
    let [a, b, c] = take(&broker, &INBOX_EVENTS, 3).await.try_into().ok().unwrap();
    // Settled out of order: what is settled behind one that is not says nothing.
    b.ack().await.unwrap();
    oldest_becomes(&broker, &INBOX_EVENTS, Some("inbox.a")).await;
    a.ack().await.unwrap();
    oldest_becomes(&broker, &INBOX_EVENTS, Some("inbox.c")).await;
    // Put off, it is not settled.
    c.nak(Duration::from_secs(60)).await.unwrap();
    oldest_becomes(&broker, &INBOX_EVENTS, Some("inbox.c")).await;
    assert_eq!(
        broker.bus.lag(&INBOX_EVENTS).await.unwrap().state.settled_through,
        2
    );
}

#[tokio::test]
async fn the_oldest_unsettled_message_of_a_work_queue_is_told() {
    let broker = Broker::start().await;
    publish_apart(&broker, &["turns.a", "turns.b"]).await;
    let [a, b] = take(&broker, &TURN_WORK, 2).await.try_into().ok().unwrap();
    b.ack().await.unwrap();
    oldest_becomes(&broker, &TURN_WORK, Some("turns.a")).await;
    a.ack().await.unwrap();
    oldest_becomes(&broker, &TURN_WORK, None).await;
}

#[tokio::test]
async fn what_a_stream_holds_is_told_with_the_age_of_its_oldest_message() {
    let broker = Broker::start().await;
    let holdings = async || broker.bus.holdings(DEAD_LETTERS.name).await.unwrap();
    let empty = holdings().await;
    assert_eq!((empty.messages, empty.oldest), (0, None));
    let subject = "dead-letters.egress.refused.a";
    broker.publish(subject, 1, "m1").await.unwrap();
    broker
        .publish("dead-letters.egress.refused.b", 2, "m2")
        .await
        .unwrap();
    let first = stored(&broker, DEAD_LETTERS.name, subject).await;
    let held = holdings().await;
    assert_eq!((held.messages, held.oldest), (2, first.stored_millis()));
    broker
        .bus
        .delete(DEAD_LETTERS.name, first.sequence)
        .await
        .unwrap();
    let left = holdings().await;
    assert_eq!((left.messages, left.first, left.last), (1, 2, 2));
}
