//! Replies over Slack.

use std::time::Duration;

use proto_schemas::context::TurnResult;
use proto_schemas::delivery::Delivery;
use proto_schemas::transcript::Receipt;
use testkit::slack::{SentMessage, UPLOAD};

use crate::samples::{CHANNEL, THREAD, over_slack, sent, with_result};
use crate::world::World;

const CONTENT: &[u8] = b"%PDF-1.7";

async fn conclude(world: &World, delivery: &Delivery) -> Vec<SentMessage> {
    world.offer(delivery).await;
    world.conclude(delivery).await;
    world.slack.sent_to(CHANNEL)
}

#[tokio::test]
async fn a_reply_goes_to_its_thread_and_is_written_down() {
    let world = World::started().await;
    let delivery = over_slack("a", "1 < 2 & <!channel>");
    world.offer(&delivery).await;
    let written = world.conclude(&delivery).await;
    let messages = world.slack.sent_to(CHANNEL);
    let [message] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!(message.text, "1 &lt; 2 &amp; &lt;!channel&gt;");
    assert_eq!(message.thread_ts.as_deref(), Some(THREAD));
    assert_eq!(written.receipt, sent(&[&message.id]));
}

#[tokio::test]
async fn a_long_reply_is_sent_in_parts_in_order_one_a_second() {
    let world = World::started().await;
    let text = [["a"; 3900].concat(), ["b"; 3900].concat(), ["c"; 100].concat()].join("\n\n");
    let messages = conclude(&world, &over_slack("a", &text)).await;
    let begins: Vec<_> = messages.iter().map(|message| &message.text[..1]).collect();
    assert_eq!(begins, ["a", "b", "c"]);
    for pair in messages.windows(2) {
        let took = pair[1].at - pair[0].at;
        // A second, less what the first of the two took to arrive.
        assert!(took >= Duration::from_millis(800), "two parts within {took:?}");
    }
}

#[tokio::test]
async fn a_file_is_uploaded_behind_its_text_and_shared_in_the_thread() {
    let world = World::started().await;
    let delivery = world
        .with_stored_file(over_slack("a", "The report"), CONTENT)
        .await;
    let messages = conclude(&world, &delivery).await;
    assert_eq!((messages.len(), messages[0].text.as_str()), (2, "The report"));
    let file = messages[1].file.as_ref().unwrap();
    assert_eq!((file.name.as_str(), &file.bytes[..]), ("report.pdf", CONTENT));
    assert_eq!(messages[1].thread_ts.as_deref(), Some(THREAD));
}

#[tokio::test]
async fn an_upload_that_fails_half_way_begins_again_and_the_text_does_not() {
    let world = World::started().await;
    world.slack.fail_next_with_status(UPLOAD, 500);
    let delivery = world
        .with_stored_file(over_slack("a", "The report"), CONTENT)
        .await;
    let messages = conclude(&world, &delivery).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(world.slack.calls("chat.postMessage"), 1);
    assert_eq!(world.slack.calls("files.getUploadURLExternal"), 2);
    assert_eq!(world.slack.calls("files.completeUploadExternal"), 1);
}

#[tokio::test]
async fn a_pause_that_slack_asks_for_is_kept_and_spends_no_attempt() {
    // Any failure that counts would be the last.
    let world = World::giving_up_at(1).await;
    let delivery = over_slack("a", "hello");
    world.slack.limit_next("chat.postMessage", 2);
    let began = std::time::Instant::now();
    let messages = conclude(&world, &delivery).await;
    assert!(messages[0].at - began >= Duration::from_secs(2));
    assert_eq!(world.slack.calls("chat.postMessage"), 2);
    assert!(world.progress(&delivery).await.is_none());
}

#[tokio::test]
async fn a_refusal_for_good_is_given_up_at_once() {
    for (error, class) in [
        ("is_archived", "chat_refused"),
        ("token_revoked", "unauthorized"),
        ("restricted_action", "chat_refused"),
    ] {
        let world = World::started().await;
        world.slack.close_channel(CHANNEL, error);
        let delivery = over_slack("a", "hello?");
        world.offer(&delivery).await;
        let class = class.to_owned();
        let receipt = world.conclude(&delivery).await.receipt;
        assert_eq!(receipt, Receipt::Undeliverable { class: class.clone() });
        assert_eq!(world.dead_letters().await[0].class, class);
        assert_eq!(world.slack.calls("chat.postMessage"), 1);
    }
}

#[tokio::test]
async fn a_hiccup_under_status_200_is_tried_again() {
    let world = World::started().await;
    world.slack.fail_next("chat.postMessage", "internal_error");
    assert_eq!(conclude(&world, &over_slack("a", "again")).await.len(), 1);
    assert_eq!(world.slack.calls("chat.postMessage"), 2);
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_there_once() {
    let world = World::started().await;
    world.slack.lose_next_answer("chat.postMessage");
    let delivery = over_slack("a", "once");
    world.offer(&delivery).await;
    let written = world.conclude(&delivery).await;
    let messages = world.slack.sent_to(CHANNEL);
    assert_eq!(world.slack.calls("chat.postMessage"), 2);
    assert_eq!(messages.len(), 1, "Slack knows it by its identity");
    assert_eq!(written.receipt, sent(&[&messages[0].id]));
}

#[tokio::test]
async fn nothing_to_say_ends_the_status_whether_slack_lets_us_or_not() {
    const SET_STATUS: &str = "assistant.threads.setStatus";
    // Any failure that counts would be the last.
    let world = World::giving_up_at(1).await;
    for (name, calls) in [("a", 1), ("b", 2)] {
        let delivery = with_result(over_slack(name, ""), TurnResult::NoReply);
        world.offer(&delivery).await;
        assert_eq!(world.conclude(&delivery).await.receipt, Receipt::Nothing);
        assert_eq!(world.slack.calls(SET_STATUS), calls);
        world.slack.fail_next(SET_STATUS, "missing_scope");
    }
    assert_eq!(world.slack.sent().len(), 0);
}
