//! The broker is away, and comes back.

use std::time::{Duration, Instant};

use bus::{ALL_KEYS, Bus, BusConfig, BusError, OnDifference, TraceContext};
use bytes::Bytes;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::topology::{INBOX, INBOX_EVENTS, LIMITS, PROGRESS, REGISTRY};
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;

use crate::broker::{Broker, message, open, record};

/// Far below the 5 s after which a request without an answer is given up.
const AT_ONCE: Duration = Duration::from_secs(1);

fn is_away<T>(result: &Result<T, BusError>) -> bool {
    matches!(result, Err(BusError::Unavailable(_)))
}

#[tokio::test]
async fn every_call_fails_at_once_while_the_broker_is_away_and_works_when_it_is_back() {
    let mut broker = Broker::start().await;
    broker.publish("inbox.a", 1, "before").await.unwrap();
    broker.kill().await;
    let bus = &broker.bus;
    let (began, trace) = (Instant::now(), TraceContext::new());
    assert!(is_away(&bus.publish(message("inbox.a", 2, "during")).await));
    assert!(is_away(&bus.last(INBOX.name, "inbox.a").await));
    assert!(is_away(&bus.entries(INBOX.name, "inbox.a", 1, 10, 1000).await));
    assert!(is_away(&bus.get::<DeliveryProgress>(&PROGRESS, "a").await));
    assert!(is_away(
        &bus.compare_and_set(&PROGRESS, "a", 0, &record(1), trace).await
    ));
    assert!(is_away(&bus.store_file("a", &Bytes::new()).await));
    assert!(bus.file("a", 10).await.is_err());
    assert!(is_away(&bus.changes(&REGISTRY, ALL_KEYS).await.map(|_| ())));
    assert!(is_away(&bus.time(&LIMITS).await));
    assert!(is_away(&bus.ensure_bucket(&LIMITS).await));
    assert!(is_away(&bus.consumer(&INBOX_EVENTS).await.map(|_| ())));
    assert!(is_away(&bus.consumer_state(&INBOX_EVENTS).await));
    assert!(is_away(&bus.delete(INBOX.name, 1).await));
    assert!(is_away(&Box::pin(bus.ensure_topology(OnDifference::Keep)).await));
    let took = began.elapsed();
    assert!(took < AT_ONCE, "the calls took {took:?}");

    broker.restart().await;
    let published = broker.publish("inbox.a", 2, "after").await.unwrap();
    assert_eq!(published, bus::Published::Accepted { sequence: 2 });
    assert_eq!(broker.bus.reconnects(), 1);
}

#[tokio::test]
async fn a_bucket_in_memory_is_gone_with_its_server_and_can_be_made_again() {
    let mut broker = Broker::start().await;
    let trace = TraceContext::new();
    let write = async |bus: &Bus| bus.compare_and_set(&LIMITS, "a", 0, &record(1), trace).await;
    write(&broker.bus).await.unwrap();
    broker.kill().await;
    broker.restart().await;
    assert!(is_away(&broker.bus.time(&LIMITS).await));
    assert!(is_away(&write(&broker.bus).await));
    broker.bus.ensure_bucket(&LIMITS).await.unwrap();
    broker.bus.ensure_bucket(&LIMITS).await.unwrap();
    assert!(broker.bus.time(&LIMITS).await.is_ok());
    let found = broker.bus.get::<DeliveryProgress>(&LIMITS, "a").await.unwrap();
    assert!(found.is_none());
    assert_eq!(write(&broker.bus).await.unwrap(), 1);
}

#[tokio::test]
async fn a_connection_is_kept_for_a_broker_that_is_not_there_yet() {
    let mut server = NatsServer::start().await;
    server.kill();
    let bus = open(&server, None).await;
    assert!(!*bus.connected().borrow());
    assert!(is_away(&bus.last(INBOX.name, "inbox.a").await));
    server.restart().await;
    bus.connected().wait_for(|connected| *connected).await.unwrap();
    Box::pin(bus.ensure_topology(OnDifference::Keep)).await.unwrap();
    assert_eq!(bus.permission_errors(), 0);
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let config = BusConfig::new("not an address", "test");
    let Err(error) = Bus::connect(config).await else {
        panic!("connected to nothing")
    };
    assert!(matches!(error, BusError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_pull_goes_on_or_ends_when_the_broker_was_away() {
    let mut broker = Broker::start().await;
    let mut pull = broker
        .bus
        .consumer(&INBOX_EVENTS)
        .await
        .unwrap()
        .work(4)
        .await
        .unwrap();
    broker.publish("inbox.a", 1, "before").await.unwrap();
    pull.next().await.unwrap().ack().await.unwrap();
    broker.bus.flush().await.unwrap();
    broker.kill().await;
    broker.restart().await;
    broker.publish("inbox.a", 2, "after").await.unwrap();
    wait_until(PATIENCE, "the work after the restart", async || {
        match pull.next().await {
            Ok(work) => work.sequence == 2,
            Err(_) => {
                if let Ok(consumer) = broker.bus.consumer(&INBOX_EVENTS).await {
                    pull = consumer.work(4).await.unwrap();
                }
                false
            }
        }
    })
    .await;
}
