//! A webhook that fails: for a while, or for good.

use bus::{Outgoing, TraceContext};
use domain::replay::replay_turn;
use proto_schemas::context::TurnResult;
use proto_schemas::dead_letter::{DeadLetter, Payload, Stage};
use proto_schemas::subjects;
use proto_schemas::transcript::Receipt;
use proto_schemas::turn::Turn;
use testkit::backend::{Recorded, always, echo, fail_first};

use crate::broker::causes;
use crate::manifest::{ERROR_MESSAGE, FRAGILE, FRAGILE_ATTEMPTS, WEB};
use crate::pipeline::{Options, Pipeline, echoed, echoed_one_by_one};

#[tokio::test]
async fn a_backend_that_recovers_is_asked_again_with_the_same_identity() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.backend.respond_with(fail_first(2, 503));
    let receipt = pipeline.say(WEB, "ada", "hello").await;
    pipeline.backend.wait_for_calls(1).await;
    // It waits behind the one that is tried again.
    pipeline.say(WEB, "ada", "are you there?").await;
    let expected = echoed_one_by_one(&["hello", "are you there?"]);
    assert_eq!(pipeline.replies("ada", 2).await, expected);
    pipeline.settled().await;

    let calls = pipeline.calls_of("ada");
    assert_eq!(headers(&calls, "x-attempt"), ["1", "2", "3", "1"]);
    let ids = headers(&calls, "webhook-id");
    assert!(
        ids[..3].iter().all(|id| *id == ids[0]) && ids[3] != ids[0],
        "{ids:?}"
    );
    assert_eq!(pipeline.replies_now("ada").len(), 2);
    let transcripts = pipeline.transcripts(&receipt.conversation).await;
    assert_eq!(transcripts[0].conclusion.attempts, 3);
    assert!(pipeline.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_backend_that_keeps_failing_ends_in_one_error_message_and_a_dead_letter() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.backend.respond_with(always(500));
    let conversation = pipeline.say(FRAGILE, "ada", "hard").await.conversation;
    assert_eq!(pipeline.replies("ada", 1).await, [ERROR_MESSAGE]);
    pipeline.settled().await;

    let dead_letters = pipeline.dead_letters().await;
    assert_eq!(causes(&dead_letters), [(Stage::WebhookCaller, "server_error")]);
    let attempts = dead_letters[0].attempts.iter();
    let statuses: Vec<_> = attempts.map(|attempt| attempt.status).collect();
    assert_eq!(statuses, vec![Some(500); FRAGILE_ATTEMPTS as usize]);
    let turns = pipeline.transcripts(&conversation).await;
    assert!(
        matches!(&turns[0].conclusion.result, TurnResult::Failure { class, .. } if class == "server_error")
    );
    assert!(
        matches!(turns[0].receipt, Receipt::Sent { .. }),
        "the user was told"
    );

    pipeline.backend.respond_with(echo);
    pipeline.say(FRAGILE, "ada", "easy").await;
    let expected = [ERROR_MESSAGE.to_owned(), echoed(&["hard", "easy"])];
    assert_eq!(pipeline.replies("ada", 2).await, expected);
    replay(&pipeline, &dead_letters[0]).await;
    // Asked again, the question stands at the end of what was said, and no longer in its old place.
    assert_eq!(pipeline.replies("ada", 3).await[2], echoed(&["easy", "hard"]));
    pipeline.settled().await;
    assert_eq!(pipeline.replies_now("ada").len(), 3);
}

#[tokio::test]
async fn a_refusal_for_good_is_not_tried_again() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.backend.respond_with(always(400));
    pipeline.say(WEB, "ada", "hello").await;
    assert_eq!(pipeline.replies("ada", 1).await, [ERROR_MESSAGE]);
    pipeline.settled().await;
    assert_eq!(pipeline.calls_of("ada").len(), 1);
    let dead_letters = pipeline.dead_letters().await;
    assert_eq!(causes(&dead_letters), [(Stage::WebhookCaller, "client_error")]);
}

/// Asks again what a turn asked, as an operator does: through the inbox.
async fn replay(pipeline: &Pipeline, dead_letter: &DeadLetter) {
    let Payload::Text(payload) = &dead_letter.payload else {
        panic!("a turn is text")
    };
    let turn: Turn = serde_json::from_str(payload).unwrap();
    for entry in replay_turn(&turn, 1, dead_letter.buried_at) {
        let subject = subjects::inbox(&turn.conversation);
        let identity = entry.message_id().as_str();
        let message = Outgoing::new(subject, &entry, identity, TraceContext::new()).unwrap();
        pipeline.bus.publish(message).await.unwrap();
    }
}

fn headers<'a>(calls: &'a [Recorded], name: &str) -> Vec<&'a str> {
    calls.iter().map(|call| call.header(name).unwrap()).collect()
}
