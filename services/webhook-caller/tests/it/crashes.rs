//! A turn that comes again, late, or beside another answer: each step is done once.

use bus::TraceContext;
use proto_schemas::context::{Context, TurnResult};
use proto_schemas::dead_letter::Attempt;
use proto_schemas::ids::{IntegrationId, UnixMillis};
use proto_schemas::progress::TurnProgress;
use proto_schemas::subjects;
use proto_schemas::topology::CONTEXTS;
use proto_schemas::turn::Turn;
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use crate::samples::{SORRY, context, delivery, reply, rival, turn};
use crate::world::World;

#[tokio::test]
async fn an_answer_that_comes_after_another_is_dropped_and_counted() {
    let world = World::started(json!({})).await;
    let turn = turn("a");
    let gate = world.backend.hold();
    world.offer(&turn).await;
    world.backend.wait_for_calls(1).await;
    // The same messages were answered by a worker that was presumed dead.
    let first = Turn {
        answers: turn.answers.clone(),
        ..rival(&turn)
    };
    let revision = world.commit(&context(&first, "I was first"), 0).await;
    gate.release();
    world.wait_until_gone(&turn).await;

    let present = world.context(&turn).await.unwrap();
    assert_eq!((present.revision, present.record.last.turn), (revision, first.id));
    assert!(world.delivery(&turn).await.is_none());
    assert_eq!(
        (world.late_answers().await, world.outcomes("duplicate").await),
        (1, 1)
    );
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn an_answer_to_a_conversation_that_was_removed_meanwhile_is_dropped() {
    let world = World::started(json!({})).await;
    let before = turn("a");
    let gate = world.backend.hold();
    world.offer(&before).await;
    world.backend.wait_for_calls(1).await;
    let key = before.conversation.as_str();
    let removal = world.bus.remove(&CONTEXTS, key, 0, TraceContext::new());
    let marker = removal.await.unwrap();
    gate.release();
    world.wait_until_gone(&before).await;
    assert!(world.context(&before).await.is_none() && world.delivery(&before).await.is_none());
    assert_eq!(world.late_answers().await, 1);
    // What is built on the removal itself is a new beginning.
    let since = Turn {
        context_revision: marker,
        ..rival(&before)
    };
    world.offer(&since).await;
    world.wait_for_delivery(&since).await;
    assert_eq!(world.context(&since).await.unwrap().record.last.turn, since.id);
}

#[tokio::test]
async fn a_turn_of_a_removed_conversation_that_comes_again_calls_nobody() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    let turn = turn("a");
    world.offer_again(&turn).await;
    let key = turn.conversation.as_str();
    let removal = world.bus.remove(&CONTEXTS, key, 0, TraceContext::new());
    removal.await.unwrap();
    world.start().await;
    world.wait_until_gone(&turn).await;
    assert!(world.backend.calls().is_empty());
    assert!(world.context(&turn).await.is_none() && world.delivery(&turn).await.is_none());
}

#[tokio::test]
async fn a_turn_dropped_with_its_message_unanswered_makes_the_decider_look_again() {
    let world = World::started(json!({})).await;
    let turn = Turn {
        answered_through: 2,
        ..turn("a")
    };
    let gate = world.backend.hold();
    world.offer(&turn).await;
    world.backend.wait_for_calls(1).await;
    let other = context(
        &Turn {
            answered_through: 1,
            ..rival(&turn)
        },
        "about something else",
    );
    let revision = world.commit(&other, 0).await;
    gate.release();
    world.wait_until_gone(&turn).await;

    let present = world.context(&turn).await.unwrap();
    assert!(present.revision > revision, "no new revision rings");
    let marked = Context {
        inbox_reaches: turn.answered_through,
        ..other
    };
    assert_eq!(present.record, marked, "only how far the inbox reaches is new");
    assert_eq!(world.late_answers().await, 1);
}

#[tokio::test]
async fn a_turn_overtaken_before_it_came_again_calls_nobody() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    let turn = turn("a");
    world
        .commit(
            &context(
                &Turn {
                    answers: turn.answers.clone(),
                    ..rival(&turn)
                },
                "first",
            ),
            0,
        )
        .await;
    world.offer_again(&turn).await;
    world.start().await;
    world.wait_until_gone(&turn).await;
    assert!(world.backend.calls().is_empty());
    assert!(world.delivery(&turn).await.is_none());
    assert_eq!(world.late_answers().await, 1);
}

#[tokio::test]
async fn a_turn_that_died_between_commit_and_delivery_is_delivered_without_a_second_call() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    let turn = turn("a");
    let committed = context(&turn, "said before the crash");
    let revision = world.commit(&committed, 0).await;
    world.offer_again(&turn).await;
    world.start().await;
    let delivery = world.wait_for_delivery(&turn).await;
    world.wait_until_gone(&turn).await;
    assert_eq!(delivery.conclusion, committed.last);
    assert_eq!(world.context(&turn).await.unwrap().revision, revision);
    assert!(world.backend.calls().is_empty());
}

#[tokio::test]
async fn a_committed_turn_that_the_broker_left_in_its_slot_is_delivered_and_removed() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    let turn = turn("a");
    let committed = context(&turn, "said before the crash");
    world.commit(&committed, 0).await;
    world.leave(&turn).await;
    world.start().await;
    let delivery = world.wait_for_delivery(&turn).await;
    world.wait_until_gone(&turn).await;
    assert_eq!(delivery.conclusion, committed.last);
    assert!(world.backend.calls().is_empty());
}

#[tokio::test]
async fn an_answered_turn_that_the_broker_left_in_its_slot_is_removed() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    let turn = turn("a");
    let first = Turn {
        answers: turn.answers.clone(),
        ..rival(&turn)
    };
    let revision = world.commit(&context(&first, "first"), 0).await;
    world.leave(&turn).await;
    world.start().await;
    world.wait_until_gone(&turn).await;
    assert_eq!(world.context(&turn).await.unwrap().revision, revision);
    assert!(world.backend.calls().is_empty());
}

#[tokio::test]
async fn an_overtaken_turn_in_its_slot_is_let_be_while_it_may_be_in_its_call() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    let turn = Turn {
        answered_through: 2,
        ..turn("a")
    };
    let other = Turn {
        answered_through: 1,
        ..rival(&turn)
    };
    let revision = world.commit(&context(&other, "about something else"), 0).await;
    world.leave(&turn).await;
    world.start().await;
    wait_until(PATIENCE, "a look at the slots", async || {
        world.count("unexplained_messages", "").await == 1
    })
    .await;
    assert!(!world.is_gone(&turn).await);
    assert_eq!(world.context(&turn).await.unwrap().revision, revision);
}

#[tokio::test]
async fn a_turn_that_died_between_delivery_and_ack_is_delivered_once() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    let turn = turn("a");
    world.commit(&context(&turn, "said"), 0).await;
    let (slot, identity) = (
        subjects::delivery(&turn.conversation),
        format!("delivery:{}", turn.id),
    );
    world.publish(slot, &delivery(&turn, "said"), &identity).await;
    world.take_delivery().await;
    world.offer_again(&turn).await;
    world.start().await;
    world.wait_until_gone(&turn).await;
    assert!(world.delivery(&turn).await.is_none());
    assert!(world.backend.calls().is_empty());
    assert_eq!((world.outcomes("done").await, world.late_answers().await), (1, 0));
}

#[tokio::test]
async fn a_turn_that_died_between_giving_up_and_commit_is_concluded_without_a_call() {
    let mut world = World::new().await;
    world.configure("echo", json!({})).await;
    let turn = turn("a");
    let attempt = Attempt {
        at: UnixMillis(5),
        integration: IntegrationId::new("echo").unwrap(),
        class: "timeout".to_owned(),
        status: None,
        detail: "took too long".to_owned(),
        millis: 30_000,
    };
    let progress = TurnProgress {
        attempts: vec![attempt.clone()],
        exhausted: true,
        ..TurnProgress::default()
    };
    world.keep_progress(&turn, &progress).await;
    world.offer_again(&turn).await;
    world.start().await;

    let delivery = world.wait_for_delivery(&turn).await;
    let failure = TurnResult::Failure {
        class: "timeout".to_owned(),
        message: SORRY.to_owned(),
    };
    assert_eq!(delivery.conclusion.result, failure);
    let letters = world.dead_letters().await;
    assert_eq!((letters.len(), &letters[0].attempts), (1, &vec![attempt]));
    assert!(world.backend.calls().is_empty());
}

#[tokio::test]
async fn a_reply_waits_in_its_turn_while_the_one_before_is_on_its_way() {
    let world = World::started(json!({})).await;
    let turn = turn("a");
    let earlier = rival(&turn);
    world
        .publish(
            subjects::delivery(&turn.conversation),
            &delivery(&earlier, "earlier"),
            "earlier",
        )
        .await;
    world.offer(&turn).await;
    wait_until(PATIENCE, "the slot's refusal", async || {
        world.outcomes("retry").await >= 1
    })
    .await;
    assert!(!world.is_gone(&turn).await);
    assert_eq!(world.delivery(&turn).await.unwrap().conclusion.turn, earlier.id);

    world.take_delivery().await;
    let delivery = world.wait_for_delivery(&turn).await;
    assert_eq!(delivery.conclusion.result, reply("1: Hello! | heard: "));
    world.wait_until_gone(&turn).await;
    assert_eq!(world.backend.calls().len(), 1);
    assert!(world.dead_letters().await.is_empty());
}
