//! The promises of the README, each shown by the test of its name.

use std::collections::BTreeMap;
use std::time::Duration;

use bus::Outgoing;
use proto_schemas::context::TurnResult;
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::MessageId;
use proto_schemas::subjects;
use proto_schemas::topology::{DELIVERIES, FETCHES, TURN_WORK, TURNS};
use proto_schemas::transcript::Receipt;
use serde_json::json;
use testkit::backend::{Recorded, Scripted, always, echo, most_in_flight};
use testkit::callback::text_message;
use testkit::condition::{PATIENCE, wait_until};
use testkit::telegram::{MAX_TEXT, photo_update, text_update};

use crate::broker::causes;
use crate::manifest::{
    DEAD, ERROR_MESSAGE, FRAGILE, RESET_MESSAGE, SLOW, SLOW_CONCURRENCY, TELEGRAM, TELEGRAM_FRAGILE, WEB,
    secrets,
};
use crate::pipeline::{Options, Pipeline, echoed, echoed_one_by_one};

const TWO_OF_EACH: Options = Options {
    replicas: 2,
    settings: &[],
    files_in_s3: false,
    secured: false,
    traced: false,
};

/// What ingress answered 2xx to survives the loss of the broker's process and of all that was to handle it;
/// while the broker is away nothing is accepted; a repeated push changes nothing.
#[tokio::test]
async fn accepted_means_durable() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    // Nobody is there to act on what is accepted.
    pipeline.service(Stage::ContextBuilder).kill();
    let texts = ["one", "two", "three"];
    let mut accepted = Vec::new();
    for text in texts {
        accepted.push(pipeline.push(WEB, text, &text_message("ada", "ada", text)).await);
    }
    assert!(accepted.iter().flatten().all(|(status, _)| *status == 202));
    pipeline.nats.kill();
    wait_until(PATIENCE, "ingress to notice", async || {
        !pipeline.service(Stage::Ingress).is_ready().await
    })
    .await;
    let four = text_message("ada", "ada", "four");
    assert_eq!(pipeline.push(WEB, "four", &four).await, Some((503, None)));
    pipeline.nats.restart().await;
    pipeline.service(Stage::Ingress).ready().await;
    for (text, before) in texts.iter().zip(&accepted) {
        let again = pipeline.push(WEB, text, &text_message("ada", "ada", text)).await;
        assert_eq!(again, *before, "the same answer as before");
    }
    pipeline.restart(Stage::ContextBuilder).await;
    assert_eq!(pipeline.replies("ada", 3).await, echoed_one_by_one(&texts));
    pipeline.settled().await;
    assert_eq!(pipeline.replies_now("ada").len(), 3);
}

/// However many replicas there are, and whichever of them die, a conversation has one call open at a time.
#[tokio::test]
async fn one_turn_in_flight_per_conversation() {
    let mut pipeline = Pipeline::start(TWO_OF_EACH).await;
    // Long enough for a second call to be seen beside it.
    let slowly = |call: &Recorded| echo(call).after(Duration::from_millis(100));
    pipeline.backend.respond_with(slowly);
    let (chats, texts) = (["ada", "bob"], ["one", "two", "three", "four"]);
    for (index, text) in texts.into_iter().enumerate() {
        for chat in chats {
            pipeline.say_at(index % 2, WEB, chat, text).await;
        }
    }
    pipeline.backend.wait_for_calls(1).await;
    for stage in [Stage::WebhookCaller, Stage::ContextBuilder] {
        pipeline.service(stage).kill();
        pipeline.restart(stage).await;
    }
    for chat in chats {
        assert_eq!(
            pipeline.replies(chat, 4).await,
            echoed_one_by_one(&texts),
            "{chat}"
        );
    }
    pipeline.settled().await;
    for chat in chats {
        assert_eq!(most_in_flight(&pipeline.calls_of(chat)), 1, "{chat}");
    }
}

/// A turn is told every earlier message and every earlier reply, also those that were sent while others waited.
#[tokio::test]
async fn complete_context() {
    let pipeline = Pipeline::start(TWO_OF_EACH).await;
    let texts = ["one", "two", "three", "four", "five"];
    for (index, text) in texts.into_iter().enumerate() {
        pipeline.say_at(index % 2, WEB, "ada", text).await;
    }
    let replies = pipeline.replies("ada", texts.len()).await;
    for (index, call) in pipeline.calls_of("ada").iter().enumerate() {
        assert_eq!(call.texts("user"), texts[..=index]);
        let told: Vec<_> = call.texts("assistant");
        assert!(
            told.iter().map(|reply| reply.trim_end()).eq(&replies[..index]),
            "{told:?}"
        );
    }
}

/// A worker that was frozen in the middle of its call, presumed dead and replaced, wakes up when the
/// conversation has moved on: its answer is dropped and counted. Every message, whatever became of it, stands
/// in one transcript and was told to the user once.
#[tokio::test]
async fn exactly_one_outcome_per_message() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let numbered = |call: &Recorded| Scripted::text(format!("call {}", call.number));
    pipeline.backend.respond_with(numbered);
    let gate = pipeline.backend.hold();
    let late = pipeline.say(WEB, "ada", "late").await;
    pipeline.backend.wait_for_calls(1).await;
    pipeline.service(Stage::WebhookCaller).pause().await;
    pipeline.add_replica(Stage::WebhookCaller).await;
    pipeline.backend.wait_for_calls(2).await;
    gate.release();
    assert_eq!(pipeline.replies("ada", 1).await, ["call 1"]);
    let next = pipeline.say(WEB, "ada", "next").await;
    assert_eq!(pipeline.replies("ada", 2).await, ["call 1", "call 2"]);
    pipeline.service(Stage::WebhookCaller).resume();
    wait_until(PATIENCE, "the late answer to be dropped", async || {
        let series = "chatbot_late_answers_total{service=\"webhook-caller\"}";
        Pipeline::count(pipeline.service(Stage::WebhookCaller), series).await > 0
    })
    .await;

    pipeline.backend.respond_with(always(500));
    let failed = pipeline.say(FRAGILE, "bob", "fails").await;
    // What waits before a reset is not asked any more; this one is asked already.
    wait_until(PATIENCE, "the call that fails", async || {
        !pipeline.calls_of("bob").is_empty()
    })
    .await;
    let reset = pipeline.say(FRAGILE, "bob", "/reset").await;
    assert_eq!(pipeline.replies("bob", 2).await, [ERROR_MESSAGE, RESET_MESSAGE]);
    pipeline.settled().await;
    let replies = (
        pipeline.replies_now("ada").len(),
        pipeline.replies_now("bob").len(),
    );
    assert_eq!(replies, (2, 2));
    let messages = [late, next, failed, reset].map(|receipt| (receipt.message, 1));
    assert_eq!(outcomes(&pipeline).await, BTreeMap::from(messages));
}

/// How many transcripts each message stands in.
async fn outcomes(pipeline: &Pipeline) -> BTreeMap<MessageId, u32> {
    let mut outcomes = BTreeMap::new();
    for message in pipeline
        .all_transcripts()
        .await
        .into_iter()
        .flat_map(|turn| turn.answers)
    {
        *outcomes.entry(message).or_default() += 1;
    }
    outcomes
}

/// While a reply is on its way the next one waits, though its answer is known; and all parts of a long reply
/// go before the next reply.
#[tokio::test]
async fn replies_leave_in_order() {
    let pipeline = Pipeline::start(TWO_OF_EACH).await;
    let gate = pipeline.callbacks.hold();
    let texts = ["one", "two", "three"];
    for text in texts {
        pipeline.say(WEB, "ada", text).await;
    }
    pipeline.replies("ada", 1).await;
    // Answered and committed, the second turn was refused the slot of the first reply, and has come again.
    wait_until(PATIENCE, "the second answer to wait", async || {
        let turns = pipeline.bus.consumer_state(&TURN_WORK).await;
        turns.is_ok_and(|turns| turns.redelivered == 1)
    })
    .await;
    assert_eq!(pipeline.calls_of("ada").len(), 2);
    assert_eq!(pipeline.callbacks.attempts().len(), 1);
    gate.release();
    assert_eq!(pipeline.replies("ada", 3).await, echoed_one_by_one(&texts));

    let reply = |call: &Recorded| match call.texts("user").len() {
        1 => Scripted::text("word ".repeat(MAX_TEXT / 2)),
        _ => Scripted::text("the next reply"),
    };
    pipeline.backend.respond_with(reply);
    pipeline.update(TELEGRAM, &text_update(1, 7001, 41, "long")).await;
    pipeline
        .update(TELEGRAM, &text_update(2, 7001, 42, "short"))
        .await;
    let sent = pipeline.telegram_messages(7001, 4).await;
    let is_long: Vec<bool> = sent
        .iter()
        .map(|message| message.text.starts_with("word"))
        .collect();
    assert_eq!(is_long, [true, true, true, false]);
}

/// Answered, failed, undeliverable or unreadable: each message ends in a transcript, a dead letter or both, and
/// no work is left behind.
#[tokio::test]
async fn nothing_is_lost_silently() {
    let pipeline = Pipeline::start(Options::default()).await;
    let fussy = |call: &Recorded| match call.last_text().as_str() {
        "bad" => Scripted::status(500),
        _ => echo(call),
    };
    pipeline.backend.respond_with(fussy);
    pipeline.telegram.block_chat(7001);
    let answered = pipeline.say(WEB, "ada", "good").await;
    let failed = pipeline.say(FRAGILE, "bob", "bad").await;
    pipeline.update(TELEGRAM, &text_update(1, 7001, 41, "good")).await;
    pipeline
        .update(TELEGRAM_FRAGILE, &text_update(2, 7001, 42, "bad"))
        .await;
    pipeline.update(TELEGRAM, &"no update".into()).await;
    let unreadable = Outgoing::raw(
        subjects::inbox(&answered.conversation),
        b"{".as_slice().into(),
        "unreadable",
        Vec::new(),
    );
    pipeline.bus.publish(unreadable).await.unwrap();
    pipeline.wait_for_dead_letters(6).await;
    pipeline.settled().await;

    let dead_letters = pipeline.dead_letters().await;
    assert!(dead_letters.iter().all(|letter| !letter.cause.is_empty()));
    let mut stages: Vec<_> = causes(&dead_letters)
        .into_iter()
        .map(|(stage, _)| stage)
        .collect();
    stages.sort();
    let expected = [
        Stage::Ingress,
        Stage::ContextBuilder,
        Stage::WebhookCaller,
        Stage::WebhookCaller,
        Stage::Egress,
        Stage::Egress,
    ];
    assert_eq!(stages, expected);
    let (good, bad) = (
        pipeline.transcripts(&answered.conversation).await,
        pipeline.transcripts(&failed.conversation).await,
    );
    assert!(matches!(good[0].conclusion.result, TurnResult::Reply { .. }));
    assert!(matches!(bad[0].conclusion.result, TurnResult::Failure { .. }));
    let transcripts = pipeline.all_transcripts().await;
    let undeliverable = transcripts
        .iter()
        .filter(|turn| matches!(turn.receipt, Receipt::Undeliverable { .. }));
    assert_eq!((transcripts.len(), undeliverable.count()), (4, 2));
    for stream in [TURNS, FETCHES, DELIVERIES] {
        let left = pipeline.stored(stream.name, ">").await;
        assert!(left.is_empty(), "{} holds {left:?}", stream.name);
    }
}

/// A backend that hangs, with more waiting than it bears, and one that is down: the other bots do not notice.
#[tokio::test]
async fn a_slow_backend_harms_only_its_own_bot() {
    let pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.slow_backend.hold();
    let chats: Vec<String> = (0..4 * SLOW_CONCURRENCY)
        .map(|number| format!("slow-{number}"))
        .collect();
    for chat in &chats {
        pipeline.say(SLOW, chat, "hello").await;
        pipeline.say(DEAD, chat, "hello").await;
    }
    pipeline.slow_backend.wait_for_calls(SLOW_CONCURRENCY).await;
    for text in ["one", "two", "three"] {
        pipeline.say(WEB, "ada", text).await;
    }
    let expected = echoed_one_by_one(&["one", "two", "three"]);
    assert_eq!(pipeline.replies("ada", 3).await, expected);
    let open = pipeline.slow_backend.calls();
    assert_eq!(
        (open.len(), most_in_flight(&open)),
        (SLOW_CONCURRENCY, SLOW_CONCURRENCY)
    );
    gate.release();
    for chat in &chats {
        assert_eq!(pipeline.replies(chat, 1).await, [echoed(&["hello"])]);
    }
    assert!(most_in_flight(&pipeline.slow_backend.calls()) <= SLOW_CONCURRENCY);
}

/// With everything that can go wrong around a secret: none of them stands in what the broker holds, in a log
/// line, in a metric or in the text of an error.
#[tokio::test]
async fn secrets_never_enter_a_subject_a_log_or_a_metric() {
    let options = Options {
        settings: &[("LOG_LEVEL", "debug")],
        ..Options::default()
    };
    let pipeline = Pipeline::start(options).await;
    pipeline.telegram.fail_next("getFile", 401, "Unauthorized", None);
    pipeline.telegram.lose_next_answer("sendMessage");
    pipeline.callbacks.fail_next(1, 500);
    let gate = pipeline.backend.hold();
    pipeline.say(WEB, "ada", "hello").await;
    pipeline.say(DEAD, "eve", "hello").await;
    let photo = photo_update(1, 7001, 41, "AgAC-big", "look");
    pipeline.update(TELEGRAM, &photo).await;
    pipeline.backend.wait_for_calls(2).await;
    let mut seen = broker_contents(&pipeline).await;
    // As some do, the webhook says which key it does not know.
    pipeline.backend.respond_with(|call| {
        let key = call.header("authorization").unwrap();
        let body = json!({ "error": format!("unknown key: {key}") });
        Scripted::Status {
            status: 401,
            headers: Vec::new(),
            body: body.to_string().into(),
        }
    });
    gate.release();
    pipeline.replies("ada", 1).await;
    pipeline.telegram_messages(7001, 1).await;
    pipeline.wait_for_dead_letters(2).await;

    seen.extend(broker_contents(&pipeline).await);
    seen.push(("the broker's log".to_owned(), pipeline.nats.log()));
    for stage in Stage::ALL {
        let service = pipeline.service(stage);
        seen.push((format!("the log of {}", stage.as_str()), service.logs()));
        let metrics = Pipeline::metrics(service).await;
        seen.push((format!("the metrics of {}", stage.as_str()), metrics));
    }
    let of_webhook = pipeline.calls_of("ada");
    assert_eq!(
        of_webhook[0].header("authorization"),
        Some("Bearer webhook-api-key-of-the-tests")
    );
    for (name, secret) in secrets() {
        let bare = secret.strip_prefix("whsec_").unwrap_or(&secret);
        for (place, content) in &seen {
            assert!(!content.contains(bare), "{name} stands in {place}");
        }
    }
}

/// Subjects and contents of all that the broker holds.
async fn broker_contents(pipeline: &Pipeline) -> Vec<(String, String)> {
    let streams = [
        "INBOX",
        "TURNS",
        "FETCHES",
        "DELIVERIES",
        "TRANSCRIPTS",
        "DEAD_LETTERS",
        "KV_contexts",
        "KV_registry",
        "KV_progress",
        "OBJ_attachments",
    ];
    let mut contents = Vec::new();
    for stream in streams {
        for entry in pipeline.stored(stream, ">").await {
            let payload = String::from_utf8_lossy(&entry.payload).into_owned();
            contents.push((format!("{stream}, {}", entry.subject), entry.subject));
            contents.push((format!("{stream}, a payload"), payload));
        }
    }
    assert!(contents.len() > 10, "the streams were read");
    contents
}
