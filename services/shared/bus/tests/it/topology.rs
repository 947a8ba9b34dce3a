//! The broker is made to look as the schemas say, as often as one likes.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use bus::{Bus, OnDifference};
use proto_schemas::topology::{CONSUMERS, INBOX, INBOX_AGE, INBOX_EVENTS};

use crate::broker::{Broker, connect};

async fn ensure(bus: &Bus, on_difference: OnDifference) {
    Box::pin(bus.ensure_topology(on_difference)).await.unwrap();
}

async fn streams(broker: &Broker) -> async_nats::jetstream::Context {
    async_nats::jetstream::new(async_nats::connect(broker.server.url()).await.unwrap())
}

async fn inbox_config(broker: &Broker) -> Config {
    let inbox = streams(broker).await.get_stream(INBOX.name).await.unwrap();
    inbox.cached_info().config.clone()
}

/// What an operator might have changed.
async fn tune(broker: &Broker) {
    let tuned = Config {
        max_age: INBOX_AGE / 2,
        ..inbox_config(broker).await
    };
    streams(broker).await.update_stream(tuned).await.unwrap();
}

#[tokio::test]
async fn what_is_there_may_be_ensured_again() {
    let broker = Broker::start().await;
    broker.publish("inbox.a", 1, "m1").await.unwrap();
    for on_difference in [OnDifference::Keep, OnDifference::Update] {
        ensure(&broker.bus, on_difference).await;
    }
    for consumer in &CONSUMERS {
        let found = broker.bus.consumer(consumer).await.unwrap();
        assert_eq!(found.ack_wait(), consumer.ack_wait, "{}", consumer.stream);
    }
    assert!(broker.bus.last(INBOX.name, "inbox.a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_stream_that_an_operator_tuned_stays_unless_an_update_is_asked_for() {
    let broker = Broker::start().await;
    tune(&broker).await;
    ensure(&broker.bus, OnDifference::Keep).await;
    assert_eq!(inbox_config(&broker).await.max_age, INBOX_AGE / 2);
    ensure(&broker.bus, OnDifference::Update).await;
    assert_eq!(inbox_config(&broker).await.max_age, INBOX_AGE);
}

#[tokio::test]
async fn a_consumer_stays_as_it_was_created_unless_an_update_is_asked_for() {
    let broker = Broker::start().await;
    let wanted = Duration::from_secs(3);
    let other = connect(&broker.server, Some(wanted)).await;
    ensure(&other, OnDifference::Keep).await;
    assert_eq!(
        other.consumer(&INBOX_EVENTS).await.unwrap().ack_wait(),
        INBOX_EVENTS.ack_wait
    );
    ensure(&other, OnDifference::Update).await;
    assert_eq!(other.consumer(&INBOX_EVENTS).await.unwrap().ack_wait(), wanted);
}

#[tokio::test]
async fn several_may_ensure_it_at_once() {
    let server = testkit::nats::NatsServer::start().await;
    let buses = [
        connect(&server, None).await,
        connect(&server, None).await,
        connect(&server, None).await,
    ];
    let [one, two, three] = buses
        .each_ref()
        .map(|bus| Box::pin(bus.ensure_topology(OnDifference::Keep)));
    let (one, two, three) = tokio::join!(one, two, three);
    for result in [one, two, three] {
        result.unwrap();
    }
}
