//! Replies over Discord.

use std::time::{Duration, Instant};

use proto_schemas::content::Button;
use proto_schemas::context::TurnResult;
use proto_schemas::delivery::Delivery;
use proto_schemas::transcript::Receipt;
use testkit::discord::{Endpoint, SentMessage};

use crate::samples::{ROOM, over_discord, sent, with_result};
use crate::world::World;

const CONTENT: &[u8] = b"%PDF-1.7";
const TOKEN: &str = "aW50ZXJhY3Rpb246MQ";

/// A reply to a command whose user sees that the bot is thinking.
fn to_command(world: &World, text: &str) -> Delivery {
    world.discord.think(TOKEN, ROOM);
    over_discord("a", text, TOKEN)
}

/// A reply to what came without an interaction, or when it is over.
fn to_channel(text: &str) -> Delivery {
    let mut delivery = over_discord("a", text, TOKEN);
    delivery.address.interaction = None;
    delivery.address.message_id = Some("1457536826435961028".to_owned());
    delivery
}

async fn conclude(world: &World, delivery: &Delivery) -> Vec<SentMessage> {
    world.offer(delivery).await;
    world.conclude(delivery).await;
    world.discord.sent_to(ROOM)
}

#[tokio::test]
async fn a_command_is_answered_in_its_place_and_written_down() {
    let world = World::started().await;
    let delivery = to_command(&world, "1 * 2 <@1>");
    world.offer(&delivery).await;
    let written = world.conclude(&delivery).await;
    let messages = world.discord.sent_to(ROOM);
    let [message] = &messages[..] else {
        panic!("{messages:?}")
    };
    assert_eq!(message.endpoint, Endpoint::Original);
    assert_eq!(message.text, "1 \\* 2 \\<@1>");
    assert_eq!(written.receipt, sent(&[&message.id]));
    assert!(!world.discord.is_thinking(TOKEN));
}

#[tokio::test]
async fn parts_and_files_follow_in_order_and_buttons_stand_under_the_last() {
    let world = World::started().await;
    let text = [["a"; 1900].concat(), ["b"; 1900].concat()].join("\n\n");
    let delivery = to_command(&world, &text);
    let mut delivery = world.with_stored_file(delivery, CONTENT).await;
    if let TurnResult::Reply { buttons, .. } = &mut delivery.conclusion.result {
        buttons.push(Button {
            label: "Yes".to_owned(),
            value: Some("ok:42".to_owned()),
            url: None,
        });
    }
    let messages = conclude(&world, &delivery).await;
    let ways: Vec<_> = messages.iter().map(|message| message.endpoint).collect();
    assert_eq!(ways, [Endpoint::Original, Endpoint::FollowUp, Endpoint::FollowUp]);
    assert!(messages[0].text.starts_with('a') && messages[1].text.starts_with('b'));
    let file = messages[2].file.as_ref().unwrap();
    assert_eq!((file.name.as_str(), &file.bytes[..]), ("report.pdf", CONTENT));
    let pressed =
        |message: &SentMessage| message.payload["components"][0]["components"][0]["custom_id"].clone();
    assert_eq!(
        messages.iter().map(pressed).collect::<Vec<_>>(),
        [serde_json::Value::Null, serde_json::Value::Null, "ok:42".into()]
    );
}

#[tokio::test]
async fn a_reply_that_comes_too_late_for_its_interaction_goes_to_the_channel() {
    let world = World::started().await;
    let delivery = to_command(&world, "late");
    world.discord.expire(TOKEN);
    let messages = conclude(&world, &delivery).await;
    assert_eq!((messages.len(), messages[0].endpoint), (1, Endpoint::Message));
    assert_eq!(world.discord.calls(Endpoint::Original), 1);
}

#[tokio::test]
async fn a_reply_is_not_sent_before_the_interaction_is_answered() {
    let world = World::started().await;
    let mut delivery = over_discord("a", "quick", TOKEN);
    let interaction = delivery.address.interaction.as_mut().unwrap();
    interaction.expires_at.0 += 60 * 1000;
    world.offer(&delivery).await;
    testkit::condition::wait_until(testkit::condition::PATIENCE, "a first try", async || {
        world.discord.calls(Endpoint::Original) > 0
    })
    .await;
    world.discord.think(TOKEN, ROOM);
    world.conclude(&delivery).await;
    let messages = world.discord.sent_to(ROOM);
    assert_eq!((messages.len(), messages[0].endpoint), (1, Endpoint::Original));
}

#[tokio::test]
async fn nothing_to_say_ends_the_thinking() {
    let world = World::started().await;
    let delivery = with_result(to_command(&world, ""), TurnResult::NoReply);
    world.offer(&delivery).await;
    assert_eq!(world.conclude(&delivery).await.receipt, Receipt::Nothing);
    assert!(!world.discord.is_thinking(TOKEN));
    assert_eq!(world.discord.sent().len(), 0);
}

#[tokio::test]
async fn a_message_whose_answer_is_lost_is_there_once() {
    for (in_channel, endpoint) in [(true, Endpoint::Message), (false, Endpoint::Original)] {
        let world = World::started().await;
        let delivery = if in_channel {
            to_channel("once")
        } else {
            to_command(&world, "once")
        };
        world.discord.lose_next_answer(endpoint);
        world.offer(&delivery).await;
        let written = world.conclude(&delivery).await;
        let messages = world.discord.sent_to(ROOM);
        assert_eq!(world.discord.calls(endpoint), 2);
        assert_eq!(messages.len(), 1, "{endpoint:?} is known again");
        assert_eq!(written.receipt, sent(&[&messages[0].id]));
    }
}

#[tokio::test]
async fn an_upload_that_fails_half_way_begins_again_and_the_text_does_not() {
    let world = World::started().await;
    let delivery = world
        .with_stored_file(to_command(&world, "The report"), CONTENT)
        .await;
    world.discord.break_off_next(Endpoint::FollowUp);
    let messages = conclude(&world, &delivery).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].file.as_ref().unwrap().bytes, CONTENT);
    assert_eq!(world.discord.calls(Endpoint::Original), 1);
    assert_eq!(world.discord.calls(Endpoint::FollowUp), 2);
}

#[tokio::test]
async fn pauses_that_discord_asks_for_are_kept_and_spend_no_attempt() {
    // Any failure that counts would be the last.
    let world = World::giving_up_at(1).await;
    let delivery = to_channel("hello");
    world.discord.limit_next(Endpoint::Message, 1.2, true);
    world.discord.show_page_next(Endpoint::Message, 429, Some(1));
    let began = Instant::now();
    let messages = conclude(&world, &delivery).await;
    let took = messages[0].at - began;
    assert!(
        took >= Duration::from_secs(3),
        "2 s of the header and 1 s: {took:?}"
    );
    assert_eq!(world.discord.calls(Endpoint::Message), 3);
    assert!(world.progress(&delivery).await.is_none());
}

#[tokio::test]
async fn the_limit_of_a_channel_is_kept_with_no_part_lost() {
    let world = World::giving_up_at(1).await;
    world.discord.limit_each_channel(1, Duration::from_millis(1500));
    let text = ["a", "b", "c"].map(|letter| letter.repeat(1900)).join("\n\n");
    let messages = conclude(&world, &to_channel(&text)).await;
    let begins: Vec<_> = messages.iter().map(|message| &message.text[..1]).collect();
    assert_eq!(begins, ["a", "b", "c"]);
    assert!(world.discord.calls(Endpoint::Message) > 3, "the limit was met");
}

#[tokio::test]
async fn a_refusal_for_good_is_given_up_at_once() {
    for (status, code, class) in [
        (403, 50001, "chat_refused"),
        (404, 10003, "chat_refused"),
        (401, 0, "unauthorized"),
        (400, 50035, "message_refused"),
    ] {
        let world = World::started().await;
        world.discord.close_channel(ROOM, status, code);
        let delivery = to_channel("hello?");
        world.offer(&delivery).await;
        let class = class.to_owned();
        let receipt = world.conclude(&delivery).await.receipt;
        assert_eq!(receipt, Receipt::Undeliverable { class: class.clone() });
        assert_eq!(world.dead_letters().await[0].class, class);
        assert_eq!(world.discord.calls(Endpoint::Message), 1);
    }
}

#[tokio::test]
async fn an_answer_that_is_slow_is_waited_for() {
    let world = World::started().await;
    let gate = world.discord.hold();
    let delivery = to_command(&world, "slow");
    world.offer(&delivery).await;
    world.discord.wait_for_sent(1).await;
    assert_eq!(world.transcripts(&delivery).await.len(), 0);
    gate.release();
    world.conclude(&delivery).await;
    assert_eq!(world.discord.calls(Endpoint::Original), 1);
}
