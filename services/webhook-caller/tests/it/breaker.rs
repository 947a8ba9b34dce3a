//! The circuit breaker of an integration, and that it is one for all replicas.

use std::time::{Duration, Instant};

use bus::TraceContext;
use proto_schemas::context::TurnResult;
use proto_schemas::ids::{IntegrationId, UnixMillis};
use proto_schemas::limits::{Circuit, CircuitBreaker};
use proto_schemas::progress::TurnProgress;
use proto_schemas::subjects;
use proto_schemas::topology::{LIMITS, REGISTRY};
use proto_schemas::turn::Turn;
use registry::Integration;
use runtime::clock;
use serde_json::{Value, json};
use testkit::backend::{Scripted, always, echo};
use testkit::condition::{PATIENCE, wait_for, wait_until};

use crate::samples::{falling_back, turn};
use crate::world::{ONLY, World};

/// Opens after three failures and leaves the webhook in peace for so long. A turn is called once.
fn settings(pause: &str) -> Value {
    json!({"limits": {"breaker": {"calls": 3, "percent": 100, "pause": pause}},
           "retry": {"attempts": 1, "max_age": "0s"}})
}

/// A turn that was built a moment ago: it waits for an open breaker, for as long as it would be tried.
fn fresh(name: &str) -> Turn {
    Turn {
        built_at: clock::now(),
        ..turn(name)
    }
}

fn key() -> String {
    subjects::integration_breaker(&IntegrationId::new("echo").unwrap())
}

async fn circuit(world: &World) -> Option<Circuit> {
    let found = world.bus.get::<CircuitBreaker>(&LIMITS, &key()).await.unwrap();
    found.map(|found| found.record.circuit)
}

async fn wait_for_circuit(world: &World, state: &str) {
    wait_until(PATIENCE, &format!("the circuit to be {state}"), async || {
        circuit(world)
            .await
            .is_some_and(|circuit| circuit.as_str() == state)
    })
    .await;
}

/// Writes what another replica has found, under the present settings.
async fn write(world: &World, circuit: Circuit) {
    let settings = world
        .bus
        .get::<Integration>(&REGISTRY, "integrations.echo")
        .await
        .unwrap();
    let record = CircuitBreaker {
        settings: settings.unwrap().revision,
        circuit,
    };
    world
        .bus
        .compare_and_set(&LIMITS, &key(), 0, &record, TraceContext::new())
        .await
        .unwrap();
}

fn open(pause_millis: u64) -> Circuit {
    Circuit::Open {
        pause_millis,
        times: 1,
        class: "timeout".to_owned(),
    }
}

async fn shown(world: &World, caller: &str, state: &str) -> u64 {
    let labels = format!("integration=\"echo\",state=\"{state}\",");
    let shown = world.series_at(caller, "circuit_state", &labels).await;
    shown.unwrap_or_default()
}

async fn fail_until_open(world: &World) {
    world.backend.respond_with(always(503));
    for number in 0..3 {
        world.offer(&turn(&format!("failing{number}"))).await;
    }
    wait_for_circuit(world, "open").await;
}

#[tokio::test]
async fn a_failing_webhook_is_left_in_peace_and_tried_out_with_one_call() {
    let world = World::started(settings("1s")).await;
    fail_until_open(&world).await;
    let failed = world.backend.calls();
    let calls = failed.len();
    let turns: Vec<_> = (0..5).map(|number| fresh(&number.to_string())).collect();
    let gate = world.backend.hold();
    world.backend.respond_with(echo);
    for turn in &turns {
        world.offer(turn).await;
    }
    let trial = &world.backend.wait_for_calls(calls + 1).await[calls];
    let pause = trial.received_at - failed[calls - 1].received_at;
    assert!(pause >= Duration::from_secs(1), "tried out after {pause:?}");
    wait_for_circuit(&world, "half_open").await;
    assert_eq!(world.backend.calls().len(), calls + 1, "one call tries it out");
    gate.release();
    for turn in &turns {
        let conclusion = world.wait_for_delivery(turn).await.conclusion;
        assert!(
            matches!(conclusion.result, TurnResult::Reply { .. }),
            "{conclusion:?}"
        );
        assert_eq!(conclusion.attempts, 1, "waiting spends no attempt");
    }
    wait_for_circuit(&world, "closed").await;
    assert!(
        world
            .dead_letters()
            .await
            .iter()
            .all(|letter| letter.class == "server_error")
    );
}

#[tokio::test]
async fn each_pause_is_longer_while_trying_out_fails() {
    let world = World::started(settings("1s")).await;
    fail_until_open(&world).await;
    world.offer(&fresh("trial")).await;
    let times = wait_for(PATIENCE, "the second opening", async || {
        match circuit(&world).await {
            Some(Circuit::Open {
                times,
                pause_millis,
                class,
            }) if times > 1 => Some((times, pause_millis, class)),
            _ => None,
        }
    })
    .await;
    assert_eq!(times, (2, 2000, "server_error".to_owned()));
    assert_eq!(world.backend.calls().len(), 4);
}

#[tokio::test]
async fn a_turn_that_has_waited_for_long_is_given_up_without_a_call() {
    let mut world = World::new().await;
    world.configure("echo", settings("60s")).await;
    write(&world, open(60_000)).await;
    let late = turn("late");
    world.offer_again(&late).await;
    let refused_long_ago = TurnProgress {
        refused_since: Some(UnixMillis(1)),
        ..TurnProgress::default()
    };
    world.keep_progress(&late, &refused_long_ago).await;
    world.start().await;
    let conclusion = world.wait_for_delivery(&late).await.conclusion;
    assert!(
        matches!(&conclusion.result, TurnResult::Failure { class, .. } if class == "circuit_open"),
        "{conclusion:?}"
    );
    assert_eq!(conclusion.attempts, 0);
    assert!(world.backend.calls().is_empty());
}

#[tokio::test]
async fn a_turn_that_waited_for_its_limits_still_waits_for_the_webhook() {
    let mut world = World::new().await;
    world.configure("echo", settings("2s")).await;
    write(&world, open(1000)).await;
    // It was built long ago, and meets an open breaker for the first time.
    let late = turn("late");
    world.offer(&late).await;
    world.start().await;
    let conclusion = world.wait_for_delivery(&late).await.conclusion;
    assert_eq!(conclusion.result.as_str(), "reply", "{conclusion:?}");
    assert!(world.progress(&late.id).await.unwrap().refused_since.is_some());
}

#[tokio::test]
async fn a_fallback_is_asked_at_once() {
    let mut world = World::new().await;
    for id in ["echo", "spare"] {
        world.configure(id, settings("60s")).await;
    }
    world.start().await;
    fail_until_open(&world).await;
    world.backend.respond_with(echo);
    let turn = falling_back(fresh("a"));
    world.offer(&turn).await;
    let conclusion = world.wait_for_delivery(&turn).await.conclusion;
    assert_eq!(conclusion.integration.unwrap().as_str(), "spare");
    assert_eq!(conclusion.attempts, 1);
    let calls = world.backend.calls();
    assert_eq!(calls[3].header("x-attempt"), Some("1"));
    assert_eq!(calls.len(), 4);
}

#[tokio::test]
async fn what_one_replica_finds_stops_the_others() {
    let world = World::new().await;
    world.configure("echo", settings("60s")).await;
    let _callers = (world.join("a").await, world.join("b").await);
    world.backend.respond_with(always(503));
    for number in 0..20 {
        world.offer(&turn(&number.to_string())).await;
    }
    wait_for_circuit(&world, "open").await;
    let found = Instant::now();
    for caller in ["a", "b"] {
        wait_until(PATIENCE, "the replica to hear of it", async || {
            shown(&world, caller, "open").await == 1
        })
        .await;
    }
    let heard = found.elapsed();
    assert!(heard < Duration::from_secs(1), "heard after {heard:?}");
    // Each of them was called or refused. From here on nobody calls.
    wait_until(PATIENCE, "all turns to be looked at", async || {
        refusals(&world).await + world.backend.calls().len() as u64 >= 20
    })
    .await;
    let calls = world.backend.calls().len();
    for number in 20..60 {
        world.offer(&turn(&number.to_string())).await;
    }
    wait_until(PATIENCE, "all turns to be refused", async || {
        refusals(&world).await + calls as u64 >= 60
    })
    .await;
    assert_eq!(world.backend.calls().len(), calls);
    for caller in ["a", "b"] {
        assert!(
            refused_by(&world, caller).await > 0,
            "{caller} had nothing to refuse"
        );
    }
}

async fn refused_by(world: &World, caller: &str) -> u64 {
    let labels = "integration=\"echo\",result=\"circuit_open\",";
    let refused = world.series_at(caller, "webhook_requests_total", labels).await;
    refused.unwrap_or_default()
}

async fn refusals(world: &World) -> u64 {
    refused_by(world, "a").await + refused_by(world, "b").await
}

#[tokio::test]
async fn two_replicas_try_a_webhook_out_with_one_call() {
    let world = World::new().await;
    // With the patience of the default budget.
    world
        .configure("echo", json!({"limits": {"breaker": {"pause": "1s"}}}))
        .await;
    write(&world, open(1000)).await;
    let _callers = (world.join("a").await, world.join("b").await);
    let gate = world.backend.hold();
    for number in 0..20 {
        world.offer(&turn(&number.to_string())).await;
    }
    world.backend.wait_for_calls(1).await;
    // Both have turned away what came while it is tried out.
    wait_until(PATIENCE, "both to refuse turns twice", async || {
        refused_by(&world, "a").await > 10 && refused_by(&world, "b").await > 10
    })
    .await;
    assert_eq!(world.backend.calls().len(), 1);
    gate.release();
    for number in 0..20 {
        let conclusion = world
            .wait_for_delivery(&turn(&number.to_string()))
            .await
            .conclusion;
        assert_eq!(conclusion.result.as_str(), "reply", "{conclusion:?}");
    }
}

#[tokio::test]
async fn another_tries_it_out_when_the_one_who_did_has_died() {
    let mut world = World::new().await;
    world.configure("echo", settings("1s")).await;
    world.start().await;
    let dead = Circuit::HalfOpen {
        lease_millis: 300,
        times: 1,
        class: "timeout".to_owned(),
    };
    write(&world, dead).await;
    wait_until(PATIENCE, "the replica to hear of it", async || {
        shown(&world, ONLY, "half_open").await == 1
    })
    .await;
    let turn = fresh("a");
    world.offer(&turn).await;
    world.wait_for_delivery(&turn).await;
    wait_for_circuit(&world, "closed").await;
}

#[tokio::test]
async fn a_webhook_that_is_gone_is_asked_again_when_its_settings_change() {
    let world = World::started(settings("60s")).await;
    world.backend.respond_with(always(410));
    world.offer(&turn("first")).await;
    world.wait_for_delivery(&turn("first")).await;
    wait_for_circuit(&world, "gone").await;
    assert_eq!(shown(&world, ONLY, "gone").await, 1);

    world.offer(&turn("second")).await;
    let conclusion = world.wait_for_delivery(&turn("second")).await.conclusion;
    assert!(
        matches!(&conclusion.result, TurnResult::Failure { class, .. } if class == "disabled"),
        "{conclusion:?}"
    );
    assert_eq!(world.backend.calls().len(), 1);

    world.backend.respond_with(|_| Scripted::text("back"));
    world.configure("echo", settings("30s")).await;
    let mut number = 0;
    // The settings are followed, so they apply in their own time.
    wait_until(PATIENCE, "a call with the new settings", async || {
        number += 1;
        let turn = turn(&format!("later{number}"));
        world.offer(&turn).await;
        world.wait_for_delivery(&turn).await;
        world.backend.calls().len() > 1
    })
    .await;
}

#[tokio::test]
async fn a_breaker_that_is_lost_with_the_brokers_memory_counts_as_closed() {
    let mut world = World::started(settings("1s")).await;
    fail_until_open(&world).await;
    world.lose_broker().await;
    world.regain_broker().await;
    world.backend.respond_with(echo);
    let turn = fresh("a");
    wait_until(PATIENCE, "the broker to take a turn", async || {
        world.try_offer(&turn).await
    })
    .await;
    let conclusion = world.wait_for_delivery(&turn).await.conclusion;
    assert!(
        matches!(conclusion.result, TurnResult::Reply { .. }),
        "{conclusion:?}"
    );
}

#[tokio::test]
async fn a_webhook_that_was_gone_is_asked_again_when_the_broker_has_lost_that() {
    let mut world = World::started(settings("60s")).await;
    world.backend.respond_with(always(410));
    world.offer(&turn("first")).await;
    world.wait_for_delivery(&turn("first")).await;
    wait_for_circuit(&world, "gone").await;
    world.lose_broker().await;
    world.regain_broker().await;
    world.backend.respond_with(echo);
    wait_until(PATIENCE, "the replica to hear of it", async || {
        shown(&world, ONLY, "closed").await == 1
    })
    .await;
    let turn = fresh("a");
    wait_until(PATIENCE, "the broker to take a turn", async || {
        world.try_offer(&turn).await
    })
    .await;
    let conclusion = world.wait_for_delivery(&turn).await.conclusion;
    assert_eq!(conclusion.result.as_str(), "reply", "{conclusion:?}");
}

#[tokio::test]
async fn a_breaker_that_is_switched_off_never_opens() {
    let world = World::started(json!({"limits": {"breaker": {"enabled": false, "calls": 1}},
        "retry": {"attempts": 1, "max_age": "0s"}}))
    .await;
    world.backend.respond_with(always(503));
    for number in 0..5 {
        let turn = turn(&number.to_string());
        world.offer(&turn).await;
        world.wait_for_delivery(&turn).await;
    }
    assert_eq!(world.backend.calls().len(), 5);
    assert_eq!(circuit(&world).await, None);
}
