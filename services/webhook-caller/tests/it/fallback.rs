//! The bot's second webhook.

use proto_schemas::context::{Conclusion, TurnResult};
use proto_schemas::turn::Turn;
use serde_json::json;
use testkit::backend::{Recorded, Scripted, echo};

use crate::samples::{SORRY, falling_back, of_an_arm, turn};
use crate::world::World;

async fn world() -> World {
    let mut world = World::new().await;
    let settings = json!({"retry": {"attempts": 2, "max_age": "0s"}});
    for id in ["echo", "spare"] {
        world.configure(id, settings.clone()).await;
    }
    world.start().await;
    world
}

fn only_the_spare_answers(call: &Recorded) -> Scripted {
    match call.header("x-integration-id") {
        Some("spare") => echo(call),
        _ => Scripted::status(401),
    }
}

/// Puts the turn into its slot, and waits for its end.
async fn concluded(world: &World, turn: &Turn) -> Conclusion {
    world.offer(turn).await;
    let delivery = world.wait_for_delivery(turn).await;
    world.wait_until_gone(turn).await;
    delivery.conclusion
}

/// Integration and number of each attempt.
fn asked(world: &World) -> Vec<(String, String)> {
    let header = |call: &Recorded, name| call.header(name).unwrap().to_owned();
    let calls = world.backend.calls();
    let attempts = calls
        .iter()
        .map(|call| (header(call, "x-integration-id"), header(call, "x-attempt")));
    attempts.collect()
}

fn attempts(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(integration, number): &(&str, &str)| ((*integration).to_owned(), (*number).to_owned());
    expected.iter().map(owned).collect()
}

#[tokio::test]
async fn a_fallback_answers_what_the_integration_refuses() {
    let world = world().await;
    world.backend.respond_with(only_the_spare_answers);
    let turn = falling_back(turn("a"));
    let conclusion = concluded(&world, &turn).await;

    assert_eq!(conclusion.result.as_str(), "reply", "{conclusion:?}");
    assert_eq!(conclusion.integration.unwrap().as_str(), "spare");
    assert_eq!(conclusion.attempts, 2);
    assert_eq!(asked(&world), attempts(&[("echo", "1"), ("spare", "2")]));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_fallback_has_a_budget_of_its_own_and_the_user_is_told_once() {
    let world = world().await;
    world.backend.respond_with(|_| Scripted::status(503));
    let turn = falling_back(turn("a"));
    let conclusion = concluded(&world, &turn).await;

    let failure = TurnResult::Failure {
        class: "server_error".to_owned(),
        message: SORRY.to_owned(),
    };
    assert_eq!(conclusion.result, failure);
    assert_eq!(conclusion.integration.unwrap().as_str(), "spare");
    let expected = [("echo", "1"), ("echo", "2"), ("spare", "3"), ("spare", "4")];
    assert_eq!(asked(&world), attempts(&expected));
    let letters = world.dead_letters().await;
    assert_eq!((letters.len(), letters[0].attempts.len()), (1, 4));
}

#[tokio::test]
async fn a_turn_counts_for_its_arm_whoever_answers() {
    let world = world().await;
    world.backend.respond_with(only_the_spare_answers);
    let turn = of_an_arm(falling_back(turn("a")));
    let conclusion = concluded(&world, &turn).await;

    assert_eq!(conclusion.result.as_str(), "reply", "{conclusion:?}");
    assert_eq!(conclusion.integration.unwrap().as_str(), "spare");
    assert_eq!(conclusion.arm.unwrap().as_str(), "echo");
    let context = world.context(&turn).await.unwrap().record;
    assert_eq!(context.last.arm.unwrap().as_str(), "echo");
}

#[tokio::test]
async fn a_turn_that_nobody_answers_counts_for_its_arm_too() {
    let world = world().await;
    world.backend.respond_with(|_| Scripted::status(401));
    let turn = of_an_arm(falling_back(turn("a")));
    let conclusion = concluded(&world, &turn).await;

    assert_eq!(conclusion.result.as_str(), "failure", "{conclusion:?}");
    assert_eq!(conclusion.arm.unwrap().as_str(), "echo");
}
