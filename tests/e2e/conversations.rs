//! What users write and read, when nothing fails.

use std::collections::BTreeSet;

use proto_schemas::context::TurnResult;
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::ConnectionId;
use registry::Connection;
use testkit::backend::most_in_flight;
use testkit::callback::text_message;
use testkit::condition::{PATIENCE, wait_until};
use testkit::telegram::{command_update, text_update};

use crate::manifest::{COLLECT, RESET_MESSAGE, SPLIT, TELEGRAM, WEB, manifest};
use crate::pipeline::{Options, Pipeline, echoed, echoed_one_by_one};

#[tokio::test]
async fn a_text_is_answered_through_the_channel_it_came_by() {
    let pipeline = Pipeline::start(Options::default()).await;
    let receipt = pipeline.say(WEB, "ada", "hello").await;
    pipeline
        .update(TELEGRAM, &text_update(1, 7001, 41, "hello, Telegram"))
        .await;

    assert_eq!(pipeline.replies("ada", 1).await, [echoed(&["hello"])]);
    let sent = pipeline.telegram_messages(7001, 1).await;
    assert_eq!(sent[0].text, echoed(&["hello, Telegram"]));
    assert_eq!(sent[0].reply_to, Some(41));

    pipeline.settled().await;
    let transcripts = pipeline.transcripts(&receipt.conversation).await;
    assert_eq!(transcripts.len(), 1);
    assert_eq!(transcripts[0].answers, [receipt.message]);
    assert_eq!(transcripts[0].conclusion.attempts, 1);
    assert!(pipeline.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_burst_is_answered_message_by_message_in_order() {
    let pipeline = Pipeline::start(Options::default()).await;
    let texts = ["one", "two", "three", "four", "five"];
    for text in texts {
        pipeline.say(WEB, "ada", text).await;
    }
    assert_eq!(pipeline.replies("ada", 5).await, echoed_one_by_one(&texts));
    pipeline.settled().await;
    let calls = pipeline.calls_of("ada");
    assert_eq!(calls.len(), 5);
    assert_eq!(most_in_flight(&calls), 1);
    assert_eq!(pipeline.replies_now("ada").len(), 5);
}

#[tokio::test]
async fn a_coalescing_bot_answers_what_waits_together() {
    let pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.backend.hold();
    let first = pipeline.say(COLLECT, "ada", "one").await;
    pipeline.backend.wait_for_calls(1).await;
    let second = pipeline.say(COLLECT, "ada", "two").await;
    let third = pipeline.say(COLLECT, "ada", "three").await;
    gate.release();

    let expected = [echoed(&["one"]), echoed(&["one", "two", "three"])];
    assert_eq!(pipeline.replies("ada", 2).await, expected);
    pipeline.settled().await;
    assert_eq!(pipeline.calls_of("ada").len(), 2);
    let answers: Vec<_> = pipeline.transcripts(&first.conversation).await;
    let answers: Vec<_> = answers.into_iter().map(|turn| turn.answers).collect();
    assert_eq!(
        answers,
        [vec![first.message], vec![second.message, third.message]]
    );
}

#[tokio::test]
async fn a_reset_is_confirmed_and_forgets_what_was_said() {
    let pipeline = Pipeline::start(Options::default()).await;
    let conversation = pipeline.say(WEB, "ada", "before").await.conversation;
    pipeline.replies("ada", 1).await;
    pipeline.say(WEB, "ada", "/reset").await;
    pipeline.say(WEB, "ada", "after").await;
    let replies = pipeline.replies("ada", 3).await;
    assert_eq!(
        replies,
        [echoed(&["before"]), RESET_MESSAGE.to_owned(), echoed(&["after"])]
    );
    pipeline.settled().await;
    let turns = pipeline.transcripts(&conversation).await;
    assert!(matches!(turns[1].conclusion.result, TurnResult::Reset { .. }));
    assert_eq!(
        pipeline.calls_of("ada").len(),
        2,
        "a reset asks the webhook nothing"
    );

    pipeline
        .update(TELEGRAM, &command_update(1, 7001, 41, "/reset"))
        .await;
    assert_eq!(pipeline.telegram_messages(7001, 1).await[0].text, RESET_MESSAGE);
}

#[tokio::test]
async fn a_message_pushed_twice_is_answered_once() {
    let pipeline = Pipeline::start(Options::default()).await;
    let message = text_message("ada", "ada", "hello");
    let first = pipeline.push(WEB, "push-1", &message).await;
    let again = pipeline.push(WEB, "push-1", &message).await;
    assert_eq!(first.as_ref().unwrap().0, 202);
    assert_eq!(first, again, "ingress answers as before");
    pipeline.replies("ada", 1).await;

    let late = pipeline.push(WEB, "push-1", &message).await;
    assert_eq!(first, late);
    let update = text_update(1, 7001, 41, "hello");
    pipeline.update(TELEGRAM, &update).await;
    pipeline.update(TELEGRAM, &update).await;
    pipeline.telegram_messages(7001, 1).await;
    pipeline.settled().await;
    assert_eq!(
        (pipeline.calls_of("ada").len(), pipeline.replies_now("ada").len()),
        (1, 1)
    );
    assert_eq!(pipeline.telegram.sent_to(7001).len(), 1);
    assert_eq!(pipeline.all_transcripts().await.len(), 2);
    let series = "chatbot_requests_total{channel=\"http\",result=\"duplicate\",service=\"ingress\"}";
    assert_eq!(Pipeline::count(pipeline.service(Stage::Ingress), series).await, 2);
}

#[tokio::test]
async fn a_connection_added_and_a_webhook_moved_need_no_restart() {
    let pipeline = Pipeline::start(Options::default()).await;
    let message = text_message("ada", "ada", "hello");
    let (status, _) = pipeline.push("added", "push-1", &message).await.unwrap();
    assert_eq!(status, 404);
    let mut manifest = manifest(
        &pipeline.backend,
        &pipeline.slow_backend,
        &pipeline.callbacks,
        &pipeline.telegram,
        &pipeline.slack,
        &pipeline.discord,
    );
    let web = manifest.connections[0].clone();
    manifest.connections.push(Connection {
        id: ConnectionId::new("added").unwrap(),
        ..web
    });
    manifest.integrations[0].url = pipeline.slow_backend.url().parse().unwrap();
    manifest.store(&pipeline.bus).await.unwrap();

    wait_until(PATIENCE, "ingress to know the connection", async || {
        matches!(pipeline.push("added", "push-1", &message).await, Some((202, _)))
    })
    .await;
    // Each service learns of the change for itself: the old address may be called once more.
    let mut asked = 0;
    wait_until(PATIENCE, "the webhook's new address to be called", async || {
        asked += 1;
        let chat = format!("chat-{asked}");
        pipeline.say("added", &chat, "hello").await;
        pipeline.replies(&chat, 1).await;
        !pipeline.slow_backend.calls().is_empty()
    })
    .await;
}

#[tokio::test]
async fn a_conversation_keeps_its_arm_of_a_split_and_its_transcripts_name_it() {
    let options = Options {
        replicas: 2,
        ..Options::default()
    };
    let pipeline = Pipeline::start(options).await;
    let chats = ["ada", "bob", "cleo", "dan", "eve", "fay"];
    let mut arms = BTreeSet::new();
    for chat in chats {
        let conversation = pipeline.say(SPLIT, chat, "one").await.conversation;
        pipeline.say(SPLIT, chat, "two").await;
        assert_eq!(
            pipeline.replies(chat, 2).await,
            echoed_one_by_one(&["one", "two"])
        );
        pipeline.settled().await;

        let calls = pipeline.calls_of(chat);
        let asked = calls
            .iter()
            .map(|call| call.header("x-integration-id").unwrap().to_owned());
        let turns = pipeline.transcripts(&conversation).await;
        let named = turns.iter().map(|turn| turn.conclusion.arm.clone().unwrap());
        let of_chat: BTreeSet<String> = asked.chain(named.map(String::from)).collect();
        assert_eq!(
            (of_chat.len(), turns.len()),
            (1, 2),
            "{chat} is asked of {of_chat:?}"
        );
        arms.extend(of_chat);
    }
    assert_eq!(arms.len(), 2, "all are asked of {arms:?}");
}
