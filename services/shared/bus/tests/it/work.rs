//! Work: taken, kept alive, given again, counted.

use std::time::{Duration, Instant};

use bus::{Work, WorkStream};
use proto_schemas::topology::{INBOX_EVENTS, LIMITS};
use testkit::condition::{PATIENCE, wait_until};
use tokio::time::interval;

use crate::broker::Broker;

/// The shortest that the configuration allows.
const ACK_WAIT: Duration = Duration::from_secs(1);

async fn pull(broker: &Broker) -> WorkStream {
    broker
        .bus
        .consumer(&INBOX_EVENTS)
        .await
        .unwrap()
        .work(16)
        .await
        .unwrap()
}

async fn next(pull: &mut WorkStream) -> Work {
    tokio::time::timeout(PATIENCE, pull.next())
        .await
        .expect("work in time")
        .unwrap()
}

async fn figures(broker: &Broker) -> (u64, u64, u64) {
    let state = broker.bus.consumer_state(&INBOX_EVENTS).await.unwrap();
    (state.pending, state.ack_pending, state.redelivered)
}

async fn wait_for_figures(broker: &Broker, expected: (u64, u64, u64)) {
    let what = format!("pending, unsettled and redelivered to be {expected:?}");
    wait_until(PATIENCE, &what, async || figures(broker).await == expected).await;
}

#[tokio::test]
async fn the_brokers_clock_is_the_one_that_dates_what_it_stores() {
    let broker = Broker::start().await;
    let before = broker.bus.time(&LIMITS).await.unwrap();
    broker.publish("inbox.a", 1, "m1").await.unwrap();
    let after = broker.bus.time(&LIMITS).await.unwrap();
    let stored_at = next(&mut pull(&broker).await).await.stored_at.0;
    assert!(
        (before.0 / 1000..=after.0 / 1000).contains(&stored_at),
        "{before:?} {stored_at} {after:?}"
    );
}

#[tokio::test]
async fn work_says_what_it_is() {
    let broker = Broker::start().await;
    broker.publish("inbox.a", 7, "m7").await.unwrap();
    let work = next(&mut pull(&broker).await).await;
    assert_eq!(
        (work.subject.as_str(), work.sequence, work.delivered),
        ("inbox.a", 1, 1)
    );
    assert_eq!(
        work.decode::<proto_schemas::progress::DeliveryProgress>()
            .unwrap()
            .failures,
        7
    );
    assert_eq!(work.header("Message-Type"), Some("delivery-progress.v1"));
    assert!(work.stored_at.0 > 0);
}

#[tokio::test]
async fn a_nak_delays_its_own_message_and_no_other() {
    let broker = Broker::start().await;
    let (slow, quick) = (Duration::from_millis(600), Duration::from_millis(200));
    broker.publish("inbox.a", 1, "m1").await.unwrap();
    broker.publish("inbox.b", 2, "m2").await.unwrap();
    let mut pull = pull(&broker).await;
    let (first, second) = (next(&mut pull).await, next(&mut pull).await);
    let began = Instant::now();
    first.nak(slow).await.unwrap();
    second.nak(quick).await.unwrap();
    for (subject, delay) in [("inbox.b", quick), ("inbox.a", slow)] {
        let again = next(&mut pull).await;
        assert_eq!((again.subject.as_str(), again.delivered), (subject, 2));
        let waited = began.elapsed();
        assert!(waited >= delay, "{subject} came again after {waited:?}");
        again.ack().await.unwrap();
    }
}

#[tokio::test]
async fn a_sign_of_life_keeps_work_and_its_lack_gives_it_to_another() {
    let broker = Broker::with_ack_wait(Some(ACK_WAIT)).await;
    assert_eq!(
        broker.bus.consumer(&INBOX_EVENTS).await.unwrap().ack_wait(),
        ACK_WAIT
    );
    broker.publish("inbox.kept", 1, "m1").await.unwrap();
    broker.publish("inbox.left", 2, "m2").await.unwrap();
    let mut pull = pull(&broker).await;
    let (kept, left) = (next(&mut pull).await, next(&mut pull).await);
    assert_eq!(
        (kept.subject.as_str(), left.subject.as_str()),
        ("inbox.kept", "inbox.left")
    );
    let mut signs = interval(ACK_WAIT / 3);
    let mut deliveries = 1;
    while deliveries < 3 {
        tokio::select! {
            _ = signs.tick() => kept.keep_alive().await.unwrap(),
            work = pull.next() => {
                let work = work.unwrap();
                assert_eq!(work.subject, "inbox.left");
                deliveries = work.delivered;
            }
        }
    }
    // From now on it is left alone as well.
    while next(&mut pull).await.subject != "inbox.kept" {}
}

#[tokio::test]
async fn a_consumers_figures_follow_its_work() {
    let broker = Broker::start().await;
    assert_eq!(figures(&broker).await, (0, 0, 0));
    for number in 0..3 {
        broker
            .publish("inbox.a", number, &number.to_string())
            .await
            .unwrap();
    }
    wait_for_figures(&broker, (3, 0, 0)).await;
    let mut pull = pull(&broker).await;
    let taken = [
        next(&mut pull).await,
        next(&mut pull).await,
        next(&mut pull).await,
    ];
    wait_for_figures(&broker, (0, 3, 0)).await;
    taken[0].ack().await.unwrap();
    taken[1].term().await.unwrap();
    wait_for_figures(&broker, (0, 1, 0)).await;
    taken[2].nak(Duration::ZERO).await.unwrap();
    let again = next(&mut pull).await;
    wait_for_figures(&broker, (0, 1, 1)).await;
    again.ack().await.unwrap();
    wait_for_figures(&broker, (0, 0, 0)).await;
}

#[tokio::test]
async fn two_pulls_share_the_work() {
    let broker = Broker::start().await;
    let (mut one, mut other) = (pull(&broker).await, pull(&broker).await);
    for number in 0..20 {
        broker
            .publish("inbox.a", number, &number.to_string())
            .await
            .unwrap();
    }
    let mut sequences = Vec::new();
    while sequences.len() < 20 {
        let work = tokio::select! {
            work = one.next() => work,
            work = other.next() => work,
        };
        let work = work.unwrap();
        sequences.push(work.sequence);
        work.ack().await.unwrap();
    }
    sequences.sort_unstable();
    assert_eq!(sequences, (1..=20).collect::<Vec<_>>());
}
