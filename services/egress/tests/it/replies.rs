//! A reply that goes out: what the platform gets, what is written down.

use std::time::Duration;

use proto_schemas::context::TurnResult;
use proto_schemas::transcript::Receipt;
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use crate::samples::{CHAT, over_http, over_telegram, sent, transcript, with_result};
use crate::world::World;

/// What the account may send over all its chats.
const TELEGRAM_PER_SECOND: f64 = 30.0;

#[tokio::test]
async fn a_reply_is_posted_to_the_callback_and_written_down() {
    let world = World::started().await;
    let delivery = over_http("a", "Hi there");
    world.offer(&delivery).await;
    let written = world.conclude(&delivery).await;

    let received = world.callback.received();
    assert_eq!((received.len(), received[0].id.as_str()), (1, "turn_a_m1_0"));
    assert_eq!(
        received[0].body,
        json!({
            "type": "reply",
            "conversation_id": "chat",
            "in_reply_to": "7",
            "message_id": "turn_a_m1_0",
            "text": "Hi there",
            "attachments": [],
        })
    );
    assert!(
        world.callback.refusals().is_empty(),
        "{:?}",
        world.callback.refusals()
    );
    let mut expected = transcript(&delivery, sent(&["turn_a_m1_0"]));
    expected.concluded_at = written.concluded_at;
    assert_eq!(written, expected);
    assert!(written.concluded_at >= delivery.accepted_at);
    assert!(world.progress(&delivery).await.is_none());
    assert_eq!(world.outcomes("done").await, 1);
}

#[tokio::test]
async fn a_long_reply_is_sent_in_parts_in_order() {
    let world = World::started().await;
    let text = [["a"; 4000].concat(), ["b"; 4000].concat(), ["c"; 100].concat()].join("\n\n");
    let delivery = over_telegram("a", &text);
    world.offer(&delivery).await;
    let written = world.conclude(&delivery).await;
    let parts = world.telegram.sent_to(CHAT);
    let begins: Vec<_> = parts
        .iter()
        .map(|part| (&part.text[..1], part.reply_to))
        .collect();
    assert_eq!(begins, [("a", Some(7)), ("b", None), ("c", None)]);
    assert_eq!(written.receipt, sent(&["1000", "1001", "1002"]));
}

#[tokio::test]
async fn markdown_is_formatted_in_every_part_of_a_telegram_reply() {
    let world = World::started().await;
    let code = "let answer = 42;\n".repeat(300);
    let text = format!("Some **bold** 😀 words:\n\n```rust\n{code}```\n\n**Done**");
    let delivery = over_telegram("a", &text);
    world.offer(&delivery).await;
    world.conclude(&delivery).await;
    let parts = world.telegram.sent_to(CHAT);
    let kinds: Vec<Vec<_>> = parts
        .iter()
        .map(|part| {
            part.entities
                .iter()
                .map(|entity| entity["type"].clone())
                .collect()
        })
        .collect();
    assert_eq!(kinds, [["bold", "pre"], ["pre", "bold"]]);
    for part in &parts {
        assert!(
            !part.text.contains("**") && !part.text.contains("```"),
            "{}",
            part.text
        );
        let pre = part
            .entities
            .iter()
            .find(|entity| entity["type"] == "pre")
            .unwrap();
        assert_eq!(pre["language"], "rust");
    }
    let lines: usize = parts
        .iter()
        .map(|part| part.text.matches("let answer").count())
        .sum();
    assert_eq!(lines, 300);
}

#[tokio::test]
async fn formats_that_telegram_refuses_are_left_out() {
    let world = World::started().await;
    world.telegram.fail_next(
        "sendMessage",
        400,
        "Bad Request: can't parse entities: of all things",
        None,
    );
    let delivery = over_telegram("a", "Some **bold** words");
    world.offer(&delivery).await;
    world.conclude(&delivery).await;
    let parts = world.telegram.sent_to(CHAT);
    assert_eq!((parts.len(), parts[0].text.as_str()), (1, "Some bold words"));
    assert!(parts[0].entities.is_empty());
}

#[tokio::test]
async fn a_callback_gets_the_markdown_as_it_is() {
    let world = World::started().await;
    let text = "# Title\n\nSome **bold** words & <tags>";
    let delivery = over_http("a", text);
    world.offer(&delivery).await;
    world.conclude(&delivery).await;
    assert_eq!(world.callback.received()[0].text(), text);
}

#[tokio::test]
async fn a_failure_is_told_as_one_and_a_reset_too() {
    let world = World::started().await;
    let failure = TurnResult::Failure {
        class: "timeout".to_owned(),
        message: "Sorry.".to_owned(),
    };
    let reset = TurnResult::Reset {
        message: "Done.".to_owned(),
    };
    for (name, result) in [("failure", failure), ("reset", reset)] {
        let delivery = with_result(over_http(name, ""), result);
        world.offer(&delivery).await;
        world.conclude(&delivery).await;
    }
    let told: Vec<_> = world
        .callback
        .received()
        .iter()
        .map(|reply| (reply.body["type"].clone(), reply.text().to_owned()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("failure"), "Sorry.".to_owned()),
            (json!("reset"), "Done.".to_owned())
        ]
    );
}

#[tokio::test]
async fn nothing_to_say_ends_in_a_transcript_and_no_send() {
    let world = World::started().await;
    let silent = TurnResult::Reset {
        message: String::new(),
    };
    for (name, result) in [("no-reply", TurnResult::NoReply), ("silent-reset", silent)] {
        let delivery = with_result(over_http(name, ""), result);
        world.offer(&delivery).await;
        assert_eq!(world.conclude(&delivery).await.receipt, Receipt::Nothing);
    }
    assert!(world.callback.attempts().is_empty());
}

#[tokio::test]
async fn a_callback_that_hangs_does_not_hold_up_another_connection() {
    let world = World::started().await;
    let gate = world.callback.hold();
    let held = over_http("a", "held");
    world.offer(&held).await;
    world.callback.wait_for(1).await;
    let delivery = over_telegram("b", "free");
    world.offer(&delivery).await;
    world.conclude(&delivery).await;
    assert!(!world.is_gone(&held).await);
    gate.release();
    world.conclude(&held).await;
}

#[tokio::test]
async fn a_chat_gets_no_more_than_telegram_allows() {
    let world = World::started().await;
    // A burst of five is allowed, then one a second.
    let text = (0..6)
        .map(|part| part.to_string().repeat(4000))
        .collect::<Vec<_>>()
        .join("\n\n");
    let delivery = over_telegram("a", &text);
    world.offer(&delivery).await;
    let parts = world.telegram.wait_for_sent(6).await;
    let took = parts[5].at - parts[0].at;
    // A second, less what the first part took to arrive.
    assert!(took >= Duration::from_millis(800), "six parts within {took:?}");
}

#[tokio::test]
async fn two_senders_keep_to_one_rate_of_the_account() {
    let mut world = World::new().await;
    for _ in 0..2 {
        // So few that neither can take all there are.
        world.start(&[("CONCURRENCY", "40")]).await;
    }
    for number in 0..90 {
        let mut delivery = over_telegram(&number.to_string(), "Hello!");
        // To each chat one, so that no chat's own limit counts.
        delivery.address.chat_id = (1_000 + number).to_string();
        world.offer(&delivery).await;
    }
    let sent = world.telegram.wait_for_sent(90).await;
    let first = sent[0].at;
    for (begin, earlier) in sent.iter().enumerate() {
        for (count, later) in (1_u32..).zip(&sent[begin..]) {
            let allowed = TELEGRAM_PER_SECOND * (later.at - earlier.at).as_secs_f64();
            // The burst, and one lease.
            let above = f64::from(count) - allowed;
            assert!(
                above <= 33.0,
                "{above} above the rate, {:?} after the first",
                later.at - first
            );
        }
    }
    let took = sent[89].at - first;
    assert!(took >= Duration::from_millis(1500), "90 messages within {took:?}");
}

#[tokio::test]
async fn a_delivery_waits_for_a_connection_that_is_not_configured_yet() {
    let world = World::started().await;
    let mut delivery = over_http("a", "late");
    delivery.connection = proto_schemas::ids::ConnectionId::new("later").unwrap();
    world.offer(&delivery).await;
    wait_until(PATIENCE, "the delivery to be put off", async || {
        world.outcomes("retry").await >= 1
    })
    .await;
    world.configure("later", world.http_channel()).await;
    world.conclude(&delivery).await;
    assert_eq!(world.callback.received().len(), 1);
    assert!(world.dead_letters().await.is_empty());
}
