//! The rate of an integration holds for all callers together: as many calls in any window, measured at the webhook,
//! as `rate * t + burst` and one lease.

use std::time::{Duration, Instant};

use bus::TraceContext;
use proto_schemas::ids::{BrokerMicros, IntegrationId};
use proto_schemas::limits::RateLimit;
use proto_schemas::subjects;
use proto_schemas::topology::LIMITS;
use serde_json::json;
use testkit::backend::Recorded;
use testkit::condition::{PATIENCE, wait_until};

use crate::caller::Caller;
use crate::samples::turn;
use crate::world::World;

/// The rate under test, by the second.
const RATE: u32 = 10;
const BURST: u32 = 10;
/// At this rate a lease has one call.
const LEASE: f64 = 1.0;

/// A world in which `turns` turns wait for an integration that is limited to this rate.
async fn backlog(rate: u32, burst: u32, concurrency: u32, turns: usize) -> World {
    let world = World::new().await;
    let limits = json!({"per_second": rate, "burst": burst, "concurrency": concurrency});
    world.configure("echo", json!({ "limits": limits })).await;
    for number in 0..turns {
        world.offer(&turn(&number.to_string())).await;
    }
    world
}

async fn callers(world: &World, count: usize) -> Vec<Caller> {
    let mut callers = Vec::new();
    for number in 0..count {
        callers.push(world.join(&number.to_string()).await);
    }
    callers
}

fn arrivals(calls: &[Recorded]) -> Vec<Instant> {
    let mut arrivals: Vec<_> = calls.iter().map(|call| call.received_at).collect();
    arrivals.sort_unstable();
    arrivals
}

/// By how many calls the worst window has more than `rate * t`: what burst and lease have to account for.
fn worst_excess(arrivals: &[Instant], rate: u32) -> f64 {
    let mut worst = 0.0_f64;
    for (first, begin) in arrivals.iter().enumerate() {
        for (count, end) in (1_u32..).zip(&arrivals[first..]) {
            let allowed = f64::from(rate) * (*end - *begin).as_secs_f64();
            worst = worst.max(f64::from(count) - allowed);
        }
    }
    worst
}

/// The part of the rate that was used from the first call to the last.
fn usage(arrivals: &[Instant], rate: u32) -> f64 {
    let took = arrivals[arrivals.len() - 1] - arrivals[0];
    let due = f64::from(rate) * took.as_secs_f64();
    f64::from(u32::try_from(arrivals.len() - 1).unwrap()) / due
}

async fn a_backlog_keeps_to_the_rate(count: usize) {
    let world = backlog(RATE, BURST, 4, 45).await;
    let callers = callers(&world, count).await;
    let arrivals = arrivals(&world.backend.wait_for_calls(40).await);
    drop(callers);
    let worst = worst_excess(&arrivals, RATE);
    assert!(worst <= f64::from(BURST) + LEASE, "{worst} calls above the rate");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_keeps_to_the_rate() {
    a_backlog_keeps_to_the_rate(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_keep_to_one_rate() {
    a_backlog_keeps_to_the_rate(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_callers_keep_to_one_rate() {
    a_backlog_keeps_to_the_rate(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_stand_still_die_or_join_do_not_exceed_the_rate() {
    let world = backlog(RATE, BURST, 4, 80).await;
    let mut callers = callers(&world, 3).await;
    world.backend.wait_for_calls(8).await;
    callers[0].freeze(Duration::from_millis(1500));
    world.backend.wait_for_calls(16).await;
    drop(callers.remove(1));
    callers.push(world.join("later").await);
    let arrivals = arrivals(&world.backend.wait_for_calls(50).await);
    let worst = worst_excess(&arrivals, RATE);
    println!(
        "{:.0} % used, worst window {worst:.2} above the rate",
        100.0 * usage(&arrivals, RATE)
    );
    // A caller that stands still between taking its slot and sending sends that one call late.
    assert!(
        worst <= f64::from(BURST) + LEASE + 1.0,
        "{worst} calls above the rate"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_pause_the_burst_is_there_once_for_all_callers() {
    let world = backlog(50, BURST, 8, 60).await;
    // Nobody has called for years.
    let long_ago = RateLimit {
        next_arrival: BrokerMicros(1),
        paused_until: None,
    };
    let key = subjects::integration_rate(&IntegrationId::new("echo").unwrap());
    let written = world
        .bus
        .compare_and_set(&LIMITS, &key, 0, &long_ago, TraceContext::new());
    written.await.unwrap();
    let _callers = callers(&world, 2).await;
    let arrivals = arrivals(&world.backend.wait_for_calls(60).await);
    let worst = worst_excess(&arrivals, 50);
    assert!(worst > 2.0, "no burst: {worst}");
    assert!(worst <= f64::from(BURST) + 5.0, "{worst} calls above the rate");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_no_call_begins() {
    let mut world = backlog(RATE, BURST, 4, 20).await;
    let _callers = callers(&world, 1).await;
    world.backend.wait_for_calls(3).await;
    world.lose_broker().await;
    let before = world.backend.calls().len();
    wait_until(PATIENCE, "five attempts to take a lease in vain", async || {
        world.limit_operations("0", "failure").await >= 5
    })
    .await;
    // One may have been on its way.
    let begun = world.backend.calls().len() - before;
    assert!(begun <= 1, "{begun} calls without the broker");
    world.regain_broker().await;
    // The record is gone with the broker, and counts as used up: no second burst.
    let arrivals = arrivals(&world.backend.wait_for_calls(before + 5).await);
    let worst = worst_excess(&arrivals, RATE);
    assert!(worst <= f64::from(BURST) + LEASE, "{worst} calls above the rate");
}
