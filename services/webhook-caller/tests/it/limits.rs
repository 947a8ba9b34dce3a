//! The limits of an integration, and that they are its own.

use std::time::Duration;

use serde_json::json;
use testkit::backend::{Ending, most_in_flight};
use testkit::condition::{PATIENCE, wait_until};

use crate::samples::{turn, turn_for};
use crate::world::World;

#[tokio::test]
async fn calls_keep_to_the_rate() {
    let world = World::started(json!({"limits": {"per_second": 4, "burst": 1}})).await;
    for number in 0..5 {
        world.offer(&turn(&number.to_string())).await;
    }
    let calls = world.backend.wait_for_calls(5).await;
    let took = calls[4].received_at - calls[0].received_at;
    // Four pauses of 250 ms, less by how much the first call may be late: a slot lives for 250 ms.
    assert!(took >= Duration::from_millis(700), "five calls within {took:?}");
}

#[tokio::test]
async fn each_integration_has_a_rate_of_its_own() {
    let mut world = World::new().await;
    let limits = json!({"limits": {"per_minute": 1, "burst": 1}});
    for id in ["one", "other"] {
        world.configure(id, limits.clone()).await;
    }
    world.start().await;
    for id in ["one", "other"] {
        for number in 0..3 {
            world.offer(&turn_for(id, &format!("{id}{number}"))).await;
        }
    }
    let calls = world.backend.wait_for_calls(2).await;
    let mut asked: Vec<_> = calls
        .iter()
        .map(|call| call.header("x-integration-id").unwrap())
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, ["one", "other"]);
}

#[tokio::test]
async fn calls_in_flight_reach_the_cap_and_never_exceed_it() {
    let world = World::started(json!({"limits": {"concurrency": 2}})).await;
    let gate = world.backend.hold();
    for number in 0..6 {
        world.offer(&turn(&number.to_string())).await;
    }
    world.backend.wait_for_calls(2).await;
    gate.release();
    world.backend.wait_for_calls(6).await;
    wait_until(PATIENCE, "all calls to be answered", async || {
        world
            .backend
            .calls()
            .iter()
            .all(|call| matches!(call.ending, Ending::Answered(_)))
    })
    .await;
    assert_eq!(most_in_flight(&world.backend.calls()), 2);
}

#[tokio::test]
async fn a_turn_that_finds_no_room_waits_in_the_broker_and_spends_no_attempt() {
    // One call in flight and two that wait are all that the integration may have.
    let world = World::started(json!({"limits": {"concurrency": 1}})).await;
    let turns: Vec<_> = (0..5).map(|number| turn(&number.to_string())).collect();
    let gate = world.backend.hold();
    for turn in &turns {
        world.offer(turn).await;
    }
    wait_until(PATIENCE, "two refusals", async || {
        world.outcomes("retry").await >= 2
    })
    .await;
    assert_eq!(world.backend.calls().len(), 1);
    gate.release();
    for turn in &turns {
        assert_eq!(world.wait_for_delivery(turn).await.conclusion.attempts, 1);
        assert!(world.progress(&turn.id).await.is_none());
    }
    assert!(
        world
            .backend
            .calls()
            .iter()
            .all(|call| call.header("x-attempt") == Some("1"))
    );
}

#[tokio::test]
async fn a_backend_that_hangs_does_not_hold_up_another() {
    let mut world = World::new().await;
    world
        .configure("hung", json!({"limits": {"concurrency": 1}}))
        .await;
    world.start().await;
    let gate = world.backend.hold();
    for number in 0..10 {
        world.offer(&turn_for("hung", &number.to_string())).await;
    }
    world.backend.wait_for_calls(1).await;

    let well = testkit::backend::FakeBackend::start().await;
    world.configure("well", json!({"url": well.url()})).await;
    let turn = turn_for("well", "quick");
    world.offer(&turn).await;
    world.wait_for_delivery(&turn).await;
    assert_eq!((world.backend.calls().len(), well.calls().len()), (1, 1));
    gate.release();
}

#[tokio::test]
async fn a_changed_integration_applies_to_the_next_turn() {
    let world = World::started(json!({})).await;
    let elsewhere = testkit::backend::FakeBackend::start().await;
    world.offer(&turn("a")).await;
    world.wait_for_delivery(&turn("a")).await;
    world.configure("echo", json!({"url": elsewhere.url()})).await;
    // The registry is followed, so the change arrives in its own time.
    let mut number = 0;
    wait_until(PATIENCE, "a call at the new address", async || {
        number += 1;
        let turn = turn(&format!("b{number}"));
        world.offer(&turn).await;
        world.wait_for_delivery(&turn).await;
        !elsewhere.calls().is_empty()
    })
    .await;
    assert_eq!(world.backend.calls().len(), number);
}
