//! Failed attempts: repeated while the budget lasts, then given up once.

use std::time::Duration;

use proto_schemas::context::TurnResult;
use proto_schemas::dead_letter::Payload;
use proto_schemas::turn::Turn;
use serde_json::json;
use testkit::backend::{Scripted, always, echo, fail_first};
use testkit::condition::{PATIENCE, wait_for, wait_until};

use crate::samples::{SORRY, turn, turn_for};
use crate::world::World;

/// The shortest pause after a first failure: a second, less a fifth by chance.
const FIRST_PAUSE: Duration = Duration::from_millis(800);

#[tokio::test]
async fn a_failed_call_is_made_again_with_growing_pauses_under_one_identity() {
    let world = World::started(json!({"retry": {"attempts": 3, "max_age": "0s"}})).await;
    let turn = turn("a");
    world.backend.respond_with(fail_first(2, 503));
    world.offer(&turn).await;
    let calls = world.backend.wait_for_calls(3).await;
    let delivery = world.wait_for_delivery(&turn).await;
    world.wait_until_gone(&turn).await;

    let attempts: Vec<_> = calls
        .iter()
        .map(|call| call.header("x-attempt").unwrap())
        .collect();
    assert_eq!(attempts, ["1", "2", "3"]);
    assert!(
        calls
            .iter()
            .all(|call| call.header("webhook-id") == Some(turn.id.as_str()))
    );
    assert!(calls.iter().all(|call| call.body == calls[0].body));
    assert!(calls[1].received_at - calls[0].received_at >= FIRST_PAUSE);
    assert!(calls[2].received_at - calls[1].received_at >= 2 * FIRST_PAUSE);
    assert_eq!(delivery.conclusion.attempts, 3);
    let kept = world.progress(&turn.id).await.unwrap();
    let classes: Vec<_> = kept
        .attempts
        .iter()
        .map(|attempt| (attempt.class.as_str(), attempt.status))
        .collect();
    assert_eq!(classes, [("server_error", Some(503)); 2]);
    assert!(!kept.exhausted);
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(
        world
            .count("webhook_retries_total", "integration=\"echo\",")
            .await,
        2
    );
}

#[tokio::test]
async fn a_used_up_budget_ends_in_a_dead_letter_and_one_message_to_the_user() {
    let world = World::started(json!({"retry": {"attempts": 2, "max_age": "0s"}})).await;
    let turn = turn("a");
    world.backend.respond_with(always(503));
    world.offer(&turn).await;
    let delivery = world.wait_for_delivery(&turn).await;
    world.wait_until_gone(&turn).await;

    assert_eq!(world.backend.calls().len(), 2);
    let letters = world.dead_letters().await;
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(
        (letter.class.as_str(), letter.attempts.len()),
        ("server_error", 2)
    );
    assert_eq!(letter.subject, "turns.conv_a");
    let Payload::Text(payload) = &letter.payload else {
        panic!("{letter:?}")
    };
    assert_eq!(serde_json::from_str::<Turn>(payload).unwrap(), turn);

    let failure = TurnResult::Failure {
        class: "server_error".to_owned(),
        message: SORRY.to_owned(),
    };
    assert_eq!(delivery.conclusion.result, failure);
    assert_eq!(delivery.conclusion.attempts, 2);
    let context = world.context(&turn).await.unwrap().record;
    assert_eq!(context.last, delivery.conclusion);
    assert_eq!(
        context.utterances.len(),
        1,
        "the question stays without an answer"
    );
    assert_eq!(world.outcomes("dead_letter").await, 1);
}

#[tokio::test]
async fn a_peers_retry_after_is_waited_for() {
    let world = World::started(json!({})).await;
    let turn = turn("a");
    world.backend.respond_with(|call| match call.number {
        0 => Scripted::retry_after("2"),
        _ => echo(call),
    });
    world.offer(&turn).await;
    let calls = world.backend.wait_for_calls(2).await;
    let pause = calls[1].received_at - calls[0].received_at;
    assert!(pause >= Duration::from_secs(2), "called again after {pause:?}");
    assert_eq!(world.wait_for_delivery(&turn).await.conclusion.attempts, 2);
}

#[tokio::test]
async fn an_integration_that_is_missing_is_waited_for() {
    let world = World::started(json!({})).await;
    let turn = turn_for("later", "a");
    world.offer(&turn).await;
    let kept = wait_for(PATIENCE, "the first attempt", async || {
        world.progress(&turn.id).await
    })
    .await;
    assert_eq!(kept.attempts[0].class, "unknown_integration");
    assert!(world.backend.calls().is_empty());
    world.configure("later", json!({})).await;
    assert_eq!(world.wait_for_delivery(&turn).await.conclusion.attempts, 2);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_tried_again_without_a_call() {
    for setting in ["signing_secret", "client_certificate"] {
        let world = World::started(json!({ setting: "env:NO_SUCH_VARIABLE_HERE" })).await;
        let turn = turn("a");
        world.offer(&turn).await;
        wait_until(PATIENCE, "the first attempt", async || {
            world.progress(&turn.id).await.is_some()
        })
        .await;
        let kept = world.progress(&turn.id).await.unwrap();
        assert_eq!(kept.attempts[0].class, "secret_unavailable");
        assert!(world.backend.calls().is_empty());
        assert!(!world.is_gone(&turn).await);
    }
}

#[tokio::test]
async fn what_the_policy_forbids_is_given_up_at_once() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    world.start_allowing("").await;
    let turn = turn("a");
    world.offer(&turn).await;
    world.wait_for_delivery(&turn).await;
    let letters = world.dead_letters().await;
    let classes: Vec<_> = letters.iter().map(|letter| letter.class.as_str()).collect();
    assert_eq!(classes, ["denied"]);
    assert_eq!(letters[0].attempts.len(), 1);
    assert!(world.backend.calls().is_empty());
}
