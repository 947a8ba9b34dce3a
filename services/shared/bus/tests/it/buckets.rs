//! Records by key: compare-and-set, and being told of changes.

use bus::{ALL_KEYS, Bus, BusError, Change, Changes, Outgoing, TraceContext};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use proto_schemas::context::Context;
use proto_schemas::progress::DeliveryProgress;
use proto_schemas::subjects;
use proto_schemas::topology::{PROGRESS, REGISTRY, bucket_stream};
use testkit::condition::{PATIENCE, wait_for};

use crate::broker::{Broker, record};

async fn set(broker: &Broker, key: &str, revision: u64, number: u32) -> Result<u64, BusError> {
    let trace = TraceContext::new();
    broker
        .bus
        .compare_and_set(&PROGRESS, key, revision, &record(number), trace)
        .await
}

async fn get(broker: &Broker, key: &str) -> Option<(u64, u32)> {
    let found = broker.bus.get::<DeliveryProgress>(&PROGRESS, key).await.unwrap();
    found.map(|found| (found.revision, found.record.failures))
}

/// Marks a key as removed, as the broker's own tools do.
async fn remove(bus: &Bus, bucket: &str, key: &str) {
    let marker = vec![("KV-Operation".to_owned(), "DEL".to_owned())];
    let removal = Outgoing::raw(
        subjects::key(bucket, key),
        Bytes::new(),
        &format!("remove {key}"),
        marker,
    );
    bus.publish(removal).await.unwrap();
}

fn is_conflict(result: &Result<u64, BusError>) -> bool {
    matches!(result, Err(BusError::Conflict))
}

#[tokio::test]
async fn a_record_is_written_from_the_revision_it_was_read_at() {
    let broker = Broker::start().await;
    let first = set(&broker, "a", 0, 1).await.unwrap();
    let second = set(&broker, "a", first, 2).await.unwrap();
    assert!(second > first);
    assert_eq!(get(&broker, "a").await, Some((second, 2)));
    assert!(is_conflict(&set(&broker, "a", first, 3).await));
    assert_eq!(get(&broker, "a").await, Some((second, 2)));
}

#[tokio::test]
async fn revision_zero_means_that_there_must_be_none() {
    let broker = Broker::start().await;
    assert_eq!(get(&broker, "a").await, None);
    set(&broker, "a", 0, 1).await.unwrap();
    assert!(is_conflict(&set(&broker, "a", 0, 2).await));
    // Another key is another record.
    set(&broker, "b", 0, 2).await.unwrap();
}

#[tokio::test]
async fn what_is_retired_is_gone_and_stays_in_its_history() {
    let broker = Broker::start().await;
    let (bus, trace) = (&broker.bus, TraceContext::new());
    let key = "bots.b";
    let first = bus.replace(&REGISTRY, key, 0, &record(1), trace).await.unwrap();
    assert!(is_conflict(&bus.retire(&REGISTRY, key, first + 1, trace).await));
    let marker = bus.retire(&REGISTRY, key, first, trace).await.unwrap();
    assert_eq!(bus.removal(&REGISTRY, key).await.unwrap(), Some(marker));
    let subject = subjects::key(REGISTRY.name, key);
    let mut kept = Vec::new();
    bus.each(&bucket_stream(&REGISTRY), &subject, 1, |entry| {
        kept.push((entry.sequence, entry.is_removal()));
    })
    .await
    .unwrap();
    assert_eq!(kept, [(first, false), (marker, true)]);
}

#[tokio::test]
async fn who_read_before_a_removal_does_not_write_after_it() {
    let broker = Broker::start().await;
    let (bus, trace) = (&broker.bus, TraceContext::new());
    let replace = async |revision| bus.replace(&PROGRESS, "a", revision, &record(1), trace).await;
    let found = async || bus.look_up::<DeliveryProgress>(&PROGRESS, "a").await.unwrap();
    let unwritten = bus.remove(&PROGRESS, "a", 0, trace).await.unwrap();
    assert!(is_conflict(&replace(0).await));
    let first = replace(unwritten).await.unwrap();
    assert!(is_conflict(&bus.remove(&PROGRESS, "a", unwritten, trace).await));
    let marker = bus.remove(&PROGRESS, "a", first, trace).await.unwrap();
    assert_eq!((found().await.revision, found().await.record), (marker, None));
    assert!(is_conflict(&replace(first).await));
    let stored = bus
        .entries(&bucket_stream(&PROGRESS), ">", 1, 9, 1 << 20)
        .await
        .unwrap();
    assert_eq!(stored.list.len(), 1, "nothing but the marker is left");
    replace(marker).await.unwrap();
}

#[tokio::test]
async fn of_many_writers_at_once_one_wins() {
    let broker = Broker::start().await;
    let revision = set(&broker, "a", 0, 0).await.unwrap();
    let results = join_all((1..=8).map(|number| set(&broker, "a", revision, number))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    assert!(
        results.iter().filter(|result| result.is_err()).all(is_conflict),
        "{results:?}"
    );
}

#[tokio::test]
async fn a_write_repeated_because_its_confirmation_was_lost_is_a_conflict() {
    let broker = Broker::start().await;
    let revision = set(&broker, "a", 0, 1).await.unwrap();
    assert!(is_conflict(&set(&broker, "a", 0, 1).await));
    assert_eq!(get(&broker, "a").await, Some((revision, 1)));
}

#[tokio::test]
async fn a_put_writes_whatever_was_there() {
    let broker = Broker::start().await;
    set(&broker, "a", 0, 1).await.unwrap();
    let trace = TraceContext::new();
    broker
        .bus
        .put(&PROGRESS, "a", &record(2), "second", trace)
        .await
        .unwrap();
    assert_eq!(get(&broker, "a").await.unwrap().1, 2);
}

#[tokio::test]
async fn a_removed_key_holds_nothing() {
    let broker = Broker::start().await;
    set(&broker, "a", 0, 1).await.unwrap();
    remove(&broker.bus, PROGRESS.name, "a").await;
    assert_eq!(get(&broker, "a").await, None);
}

#[tokio::test]
async fn a_removed_key_can_be_written_again_by_one() {
    let broker = Broker::start().await;
    set(&broker, "a", 0, 1).await.unwrap();
    remove(&broker.bus, PROGRESS.name, "a").await;
    let revision = set(&broker, "a", 0, 2).await.unwrap();
    assert_eq!(get(&broker, "a").await, Some((revision, 2)));
    assert!(is_conflict(&set(&broker, "a", 0, 3).await));
    assert!(is_conflict(&set(&broker, "a", 0, 2).await));
}

#[tokio::test]
async fn a_record_of_another_type_is_undecodable() {
    let broker = Broker::start().await;
    set(&broker, "a", 0, 1).await.unwrap();
    let error = broker.bus.get::<Context>(&PROGRESS, "a").await.unwrap_err();
    assert!(matches!(error, BusError::Undecodable(_)), "{error}");
}

async fn put(broker: &Broker, key: &str, number: u32) {
    let identity = format!("{key} {number}");
    broker
        .bus
        .put(&REGISTRY, key, &record(number), &identity, TraceContext::new())
        .await
        .unwrap();
}

async fn next(changes: &mut Changes) -> Result<Change, BusError> {
    let next = tokio::time::timeout(PATIENCE, changes.next())
        .await
        .expect("a change in time");
    next.expect("changes have no end")
}

fn number(change: &Change) -> Option<u32> {
    let value = change.value.as_ref()?;
    Some(
        serde_json::from_slice::<DeliveryProgress>(value)
            .unwrap()
            .failures,
    )
}

#[tokio::test]
async fn a_bucket_tells_what_is_there_and_then_what_happens() {
    let broker = Broker::start().await;
    assert!(broker.bus.is_empty(&REGISTRY).await.unwrap());
    put(&broker, "bots.a", 1).await;
    put(&broker, "bots.b", 2).await;
    assert!(!broker.bus.is_empty(&REGISTRY).await.unwrap());

    let mut changes = broker.bus.changes(&REGISTRY, ALL_KEYS).await.unwrap();
    for (key, value, caught_up) in [("bots.a", 1, false), ("bots.b", 2, true)] {
        let change = next(&mut changes).await.unwrap();
        assert_eq!(
            (change.key.as_str(), number(&change), change.caught_up),
            (key, Some(value), caught_up)
        );
    }
    put(&broker, "bots.a", 3).await;
    let change = next(&mut changes).await.unwrap();
    assert_eq!(
        (change.key.as_str(), number(&change), change.caught_up),
        ("bots.a", Some(3), true)
    );
    remove(&broker.bus, REGISTRY.name, "bots.b").await;
    let change = next(&mut changes).await.unwrap();
    assert_eq!((change.key.as_str(), number(&change)), ("bots.b", None));
}

#[tokio::test]
async fn a_follower_misses_nothing_over_a_restart_of_the_broker() {
    let mut broker = Broker::start().await;
    put(&broker, "bots.a", 1).await;
    let mut changes = broker.bus.changes(&REGISTRY, ALL_KEYS).await.unwrap();
    assert_eq!(number(&next(&mut changes).await.unwrap()), Some(1));
    broker.kill().await;
    broker.restart().await;
    put(&broker, "bots.a", 2).await;
    // Whoever follows opens another when one breaks; that begins with what is there.
    let seen = wait_for(PATIENCE, "the change after the restart", async || {
        match changes.next().await {
            Some(Ok(change)) => number(&change).filter(|number| *number == 2),
            Some(Err(_)) | None => {
                if let Ok(again) = broker.bus.changes(&REGISTRY, ALL_KEYS).await {
                    changes = again;
                }
                None
            }
        }
    })
    .await;
    assert_eq!(seen, 2);
}
