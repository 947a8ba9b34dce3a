//! How a message ends: acked, given again, given up.

use std::time::Duration;

use bytes::Bytes;
use proto_schemas::dead_letter::{Attempt, Payload};
use proto_schemas::ids::{IntegrationId, UnixMillis};
use proto_schemas::wire::{MESSAGE_TYPE, TRACEPARENT, Wire};
use runtime::stage::{GiveUp, Outcome};
use testkit::condition::{PATIENCE, wait_until};

use crate::fixture::{Note, Scripted, World};

/// A delay that is long against everything else that happens, and short for a test.
const DELAY: Duration = Duration::from_millis(300);
const SOON: Duration = Duration::from_millis(10);
/// A dead letter holds payloads up to this size itself.
const INLINE_BYTES: usize = 128 * 1024;

fn attempt() -> Attempt {
    Attempt {
        at: UnixMillis(7),
        integration: IntegrationId::new("echo").unwrap(),
        class: "server_error".to_owned(),
        status: Some(503),
        detail: "HTTP 503".to_owned(),
        millis: 12,
    }
}

fn give_up() -> Outcome {
    Outcome::GiveUp(GiveUp {
        class: "server_error",
        cause: "HTTP 503".to_owned(),
        attempts: vec![attempt()],
    })
}

/// How many messages' ages were counted at their end.
fn ages(world: &World, outcome: &str) -> String {
    world.count(&format!(
        "chatbot_pipeline_age_seconds_count{{outcome=\"{outcome}\",service=\"egress\"}}"
    ))
}

#[tokio::test]
async fn done_and_duplicate_work_is_acked_and_gone() {
    let world = World::new(None).await;
    let stage = Scripted::new(&world, |note| match note.text.as_str() {
        "again" => Outcome::Duplicate,
        _ => Outcome::Done,
    });
    let started = world.run(&stage, 4);
    for text in ["once", "again"] {
        world.publish(text).await;
        world.wait_until_gone(text).await;
    }
    assert_eq!(stage.handled().len(), 2);
    assert_eq!(world.state().await.ack_pending, 0);
    assert_eq!(
        (world.outcomes("done"), world.outcomes("duplicate")),
        ("1".to_owned(), "1".to_owned())
    );
    assert_eq!(
        ages(&world, "done"),
        "1",
        "what was done before was counted before"
    );
    started.stop().await;
}

#[tokio::test]
async fn retried_work_comes_again_not_before_its_delay() {
    let world = World::new(None).await;
    let stage = Scripted::new(&world, |note| match note.delivered {
        1 => Outcome::retry_after(DELAY, "not yet"),
        _ => Outcome::Done,
    });
    world.run(&stage, 4);
    world.publish("a").await;
    world.wait_until_gone("a").await;
    let looks = stage.handled();
    assert_eq!(
        looks.iter().map(|look| look.delivered).collect::<Vec<_>>(),
        [1, 2]
    );
    let pause = looks[1].at - looks[0].at;
    assert!(pause >= DELAY, "came again after {pause:?}");
    assert_eq!(ages(&world, "done"), "1", "a try that is repeated is no end");
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn given_up_work_has_its_dead_letter_before_its_outcome() {
    let world = World::new(None).await;
    let stage = Scripted::new(&world, |_| give_up());
    world.run(&stage, 4);
    world.publish("a").await;
    world.wait_until_gone("a").await;

    assert_eq!(stage.letters_at_given_up(), [1]);
    let letters = world.dead_letters().await;
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(
        (letter.class.as_str(), letter.cause.as_str()),
        ("server_error", "HTTP 503")
    );
    assert_eq!(letter.attempts, [attempt()]);
    assert_eq!(
        (letter.stream.as_deref(), letter.subject.as_str()),
        (Some("TURNS"), "turns.a")
    );
    assert_eq!(letter.headers[MESSAGE_TYPE], Note::TYPE);
    assert!(letter.headers.contains_key(TRACEPARENT), "{:?}", letter.headers);
    assert_eq!(letter.payload, Payload::Text("{\"text\":\"a\"}".to_owned()));
    assert_eq!(world.outcomes("dead_letter"), "1");
    assert_eq!(
        (ages(&world, "dead_letter"), ages(&world, "done")),
        ("1".to_owned(), "0".to_owned())
    );
    assert_eq!(
        world.count("chatbot_dead_letters_published_total{class=\"server_error\",service=\"egress\"}"),
        "1"
    );
}

#[tokio::test]
async fn an_outcome_that_cannot_be_committed_brings_the_work_back_and_leaves_one_dead_letter() {
    let world = World::new(None).await;
    let stage = Scripted::with_afterwards(
        &world,
        |_| give_up(),
        |asked| match asked {
            1 => Outcome::retry_after(SOON, "the commit is not confirmed"),
            _ => Outcome::Done,
        },
    );
    world.run(&stage, 4);
    world.publish("a").await;
    world.wait_until_gone("a").await;
    assert_eq!(stage.handled().len(), 2);
    assert_eq!(stage.letters_at_given_up(), [1, 1]);
    assert_eq!(world.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn undecodable_work_is_buried_unseen_by_the_stage() {
    let world = World::new(None).await;
    let stage = Scripted::new(&world, |_| Outcome::Done);
    world.run(&stage, 4);
    let note = [(MESSAGE_TYPE, Note::TYPE)];
    for (slot, payload, headers) in [
        (
            "other-type",
            &b"{\"text\":\"x\"}"[..],
            &[(MESSAGE_TYPE, "note.v2")][..],
        ),
        ("no-type", b"{\"text\":\"x\"}", &[]),
        ("no-json", b"{\"text\":", &note),
        ("no-text", b"\xff\x00", &note),
    ] {
        world.publish_raw(slot, payload.to_vec(), headers).await;
        world.wait_until_gone(slot).await;
    }
    assert!(stage.handled().is_empty());
    let letters = world.dead_letters().await;
    assert!(
        letters.iter().all(|letter| letter.class == "undecodable"),
        "{letters:?}"
    );
    assert_eq!(letters.len(), 4);
    assert_eq!(letters[2].payload, Payload::Text("{\"text\":".to_owned()));
    assert_eq!(letters[3].payload, Payload::Hex("ff00".to_owned()));
    assert_eq!(world.outcomes("dead_letter"), "4");
}

#[tokio::test]
async fn a_payload_too_large_for_a_dead_letter_lies_in_the_object_store() {
    let world = World::new(None).await;
    let stage = Scripted::new(&world, |_| Outcome::Done);
    world.run(&stage, 4);
    for (slot, bytes) in [("largest", INLINE_BYTES), ("larger", INLINE_BYTES + 1)] {
        world.publish_raw(slot, vec![b'x'; bytes], &[]).await;
        world.wait_until_gone(slot).await;
    }
    let letters = world.dead_letters().await;
    assert_eq!(letters[0].payload, Payload::Text("x".repeat(INLINE_BYTES)));
    let Payload::Object(key) = &letters[1].payload else {
        panic!("{:?}", letters[1].id)
    };
    let stored = world.bus.file(key, 2 * INLINE_BYTES).await.unwrap();
    assert_eq!(stored, Bytes::from(vec![b'x'; INLINE_BYTES + 1]));
}

#[tokio::test]
async fn a_panic_is_a_retry_and_the_runner_lives() {
    let world = World::new(None).await;
    let stage = Scripted::new(&world, |note| {
        assert!(note.text != "bad" || note.delivered > 1, "planted");
        Outcome::Done
    });
    let started = world.run(&stage, 4);
    world.publish("bad").await;
    world.publish("good").await;
    world.wait_until_gone("good").await;
    world.wait_until_gone("bad").await;
    assert_eq!(stage.tally()["bad"], 2);
    assert_eq!(
        (world.outcomes("retry"), world.outcomes("done")),
        ("1".to_owned(), "2".to_owned())
    );
    assert!(world.dead_letters().await.is_empty());
    started.stop().await;
}

#[tokio::test]
async fn fatal_ends_the_runner_and_leaves_the_work_unsettled() {
    let world = World::new(None).await;
    let stage = Scripted::new(&world, |_| Outcome::Fatal("the disk is gone".to_owned()));
    let started = world.run(&stage, 4);
    world.publish("a").await;
    let error = started.running.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
    assert!(!world.is_gone("a").await);
    assert_eq!(world.state().await.ack_pending, 1);
    assert_eq!(world.outcomes("fatal"), "1");
}

#[tokio::test]
async fn work_whose_dead_letter_is_not_confirmed_stays() {
    let mut world = World::new(Some(Duration::from_secs(1))).await;
    let stage = Scripted::holding(&world, |_| give_up());
    world.run(&stage, 4);
    world.publish("a").await;
    stage.wait_for(1).await;
    world.lose_broker().await;
    stage.release();
    wait_until(PATIENCE, "the failed burial", async || {
        world.outcomes("retry") == "1"
    })
    .await;
    assert!(stage.letters_at_given_up().is_empty());

    world.server.restart().await;
    world.wait_until_gone("a").await;
    assert_eq!(world.dead_letters().await.len(), 1);
    assert_eq!(stage.letters_at_given_up(), [1]);
}
