//! What Telegram does to a reply: limits, failures, blocked chats.

use std::time::{Duration, Instant};

use proto_schemas::dead_letter::Stage;
use proto_schemas::transcript::Receipt;
use serde_json::{Value, json};
use testkit::backend::Scripted;
use testkit::condition::{PATIENCE, wait_until};
use testkit::telegram::{MAX_TEXT, press_update, text_update};

use crate::broker::causes;
use crate::manifest::TELEGRAM;
use crate::pipeline::{Options, Pipeline, echoed};

const CHAT: i64 = 7001;

#[tokio::test]
async fn a_long_reply_arrives_in_parts_and_goes_on_at_the_part_that_failed() {
    let pipeline = Pipeline::start(Options::default()).await;
    let long = "word ".repeat(MAX_TEXT / 2);
    let reply = long.clone();
    pipeline
        .backend
        .respond_with(move |_| Scripted::text(reply.as_str()));
    let gate = pipeline.telegram.hold();
    pipeline
        .update(TELEGRAM, &text_update(1, CHAT, 41, "tell me"))
        .await;
    pipeline.telegram_messages(CHAT, 1).await;
    // The first part is there and not answered yet, so the next call is that of the second.
    pipeline
        .telegram
        .fail_next("sendMessage", 500, "Internal Server Error", None);
    gate.release();

    let parts = pipeline.telegram_messages(CHAT, 3).await;
    pipeline.settled().await;
    assert_eq!(pipeline.telegram.sent_to(CHAT).len(), 3, "no part is sent twice");
    assert_eq!(pipeline.telegram.calls("sendMessage"), 4);
    assert!(
        parts
            .iter()
            .all(|part| part.text.encode_utf16().count() <= MAX_TEXT)
    );
    let words: Vec<&str> = parts
        .iter()
        .flat_map(|part| part.text.split_whitespace())
        .collect();
    assert_eq!(words, long.split_whitespace().collect::<Vec<_>>());
    let transcripts = pipeline.all_transcripts().await;
    let ids = parts.iter().map(|part| part.message_id.to_string()).collect();
    assert_eq!(
        transcripts[0].receipt,
        Receipt::Sent {
            platform_message_ids: ids
        }
    );
}

#[tokio::test]
async fn a_pause_that_telegram_asks_for_is_kept() {
    let pipeline = Pipeline::start(Options::default()).await;
    let asked_for = Duration::from_secs(3);
    pipeline.telegram.fail_next(
        "sendMessage",
        429,
        "Too Many Requests: retry after 3",
        Some(json!({ "retry_after": asked_for.as_secs() })),
    );
    let gate = pipeline.telegram.hold();
    pipeline
        .update(TELEGRAM, &text_update(1, CHAT, 41, "hello"))
        .await;
    wait_until(PATIENCE, "the call that is refused", async || {
        pipeline.telegram.calls("sendMessage") == 1
    })
    .await;
    let refused = Instant::now();
    gate.release();
    let sent = pipeline.telegram_messages(CHAT, 1).await;
    let pause = sent[0].at.duration_since(refused);
    assert!(pause >= asked_for, "{pause:?}");
    assert_eq!(
        pipeline.telegram.calls("sendMessage"),
        2,
        "nothing was tried meanwhile"
    );
}

#[tokio::test]
async fn a_pressed_button_is_the_next_message() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline
        .backend
        .respond_with(|call| match call.last_text().as_str() {
            "ok:42" => Scripted::text("Done."),
            _ => Scripted::Reply(json!({
                "content": "Proceed?",
                "buttons": [{ "label": "Yes", "value": "ok:42" }, { "label": "No" }],
            })),
        });
    pipeline
        .update(TELEGRAM, &text_update(1, CHAT, 41, "delete it"))
        .await;
    let asked = pipeline.telegram_messages(CHAT, 1).await;
    let keyboard = json!([
        [{ "text": "Yes", "callback_data": "ok:42" }],
        [{ "text": "No", "callback_data": "No" }],
    ]);
    assert_eq!(asked[0].keyboard, Some(keyboard));

    let press = press_update(2, CHAT, asked[0].message_id, "4382168034215648", "ok:42");
    let answer = pipeline.update(TELEGRAM, &press).await;
    let expected = json!({ "method": "answerCallbackQuery", "callback_query_id": "4382168034215648" });
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), expected);
    assert_eq!(
        pipeline.update(TELEGRAM, &press).await,
        answer,
        "pushed again, it is answered again"
    );
    let sent = pipeline.telegram_messages(CHAT, 2).await;
    pipeline.settled().await;
    assert_eq!(sent[1].text, "Done.");
    assert_eq!(sent[1].reply_to, Some(asked[0].message_id));
    assert_eq!(pipeline.backend.calls().len(), 2);
}

#[tokio::test]
async fn while_the_webhook_works_the_chat_is_shown_so() {
    let pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.backend.hold();
    pipeline
        .update(TELEGRAM, &text_update(1, CHAT, 41, "think hard"))
        .await;
    wait_until(PATIENCE, "the chat to be shown twice", async || {
        pipeline.telegram.calls("sendChatAction") >= 2
    })
    .await;
    assert!(pipeline.telegram.sent_to(CHAT).is_empty());
    gate.release();
    pipeline.telegram_messages(CHAT, 1).await;
}

#[tokio::test]
async fn a_reply_to_a_blocked_chat_is_given_up_at_once() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.telegram.block_chat(CHAT);
    pipeline
        .update(TELEGRAM, &text_update(1, CHAT, 41, "hello"))
        .await;
    let dead_letters = pipeline.wait_for_dead_letters(1).await;
    pipeline.settled().await;
    let class = dead_letters[0].class.clone();
    assert_eq!(causes(&dead_letters), [(Stage::Egress, class.as_str())]);
    assert_eq!(pipeline.telegram.calls("sendMessage"), 1);
    let transcripts = pipeline.all_transcripts().await;
    assert_eq!(transcripts.len(), 1);
    assert_eq!(transcripts[0].receipt, Receipt::Undeliverable { class });

    pipeline.telegram.unblock_chat(CHAT);
    pipeline
        .update(TELEGRAM, &text_update(2, CHAT, 42, "again"))
        .await;
    let sent = pipeline.telegram_messages(CHAT, 1).await;
    assert_eq!(sent[0].text, echoed(&["hello", "again"]));
}
