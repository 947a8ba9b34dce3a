//! Discord, from a command to the answer in its place.

use serde_json::json;
use testkit::backend::Scripted;
use testkit::client::client;
use testkit::discord::{Endpoint, command, press, with_file};

use crate::files::image_links;
use crate::manifest::{DISCORD, RESET_MESSAGE};
use crate::pipeline::{Options, Pipeline};

const CHANNEL: &str = "1457510428359004343";
/// Kinds of answers to an interaction: the bot is thinking, and nothing changes.
const THINKING: u64 = 5;
const UNCHANGED: u64 = 6;
const PICTURE: &[u8] = b"\x89PNG a cat";
const REPORT: &[u8] = b"%PDF-1.7 a cat";

#[tokio::test]
async fn a_command_with_a_file_is_answered_in_its_place_with_a_file_and_a_press_below() {
    let pipeline = Pipeline::start(Options::default()).await;
    let picture = pipeline.discord.add_file("cat.png", "image/png", PICTURE);
    let url = pipeline.files.add("report.pdf", "application/pdf", REPORT);
    let attachment = json!({ "url": url, "filename": "report.pdf", "mime_type": "application/pdf" });
    let reply = json!({
        "content": "A cat, 1 * 2.", "attachments": [attachment],
        "buttons": [{ "label": "Another", "value": "another" }],
    });
    pipeline
        .backend
        .respond_with(move |_| Scripted::Reply(reply.clone()));

    let asked = command(CHANNEL, "1", "token-1", "ask", &[("prompt", "what is this?")]);
    let asked = with_file(asked, &picture, "cat.png", "image/png", PICTURE.len());
    pipeline.interaction(DISCORD, &asked, THINKING).await;

    let calls = pipeline.backend.wait_for_calls(1).await;
    assert_eq!(calls[0].last_text(), "what is this?");
    assert_eq!(calls[0].request.as_ref().unwrap().metadata.chat_id, CHANNEL);
    let links = image_links(&calls[0]);
    let fetched = client().get(&links[0]).send().await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap(), PICTURE);

    let sent = pipeline.discord_messages(CHANNEL, 2).await;
    assert!(!pipeline.discord.is_thinking("token-1"));
    assert_eq!(
        (sent[0].endpoint, sent[0].text.as_str()),
        (Endpoint::Original, "A cat, 1 \\* 2.")
    );
    assert_eq!(sent[1].endpoint, Endpoint::FollowUp);
    let file = sent[1].file.as_ref().unwrap();
    assert_eq!((file.name.as_str(), &file.bytes[..]), ("report.pdf", REPORT));
    let button = &sent[1].payload["components"][0]["components"][0];
    let value = button["custom_id"].as_str().unwrap();

    let pressed = press(CHANNEL, "2", "token-2", value, &sent[1].id);
    pipeline.interaction(DISCORD, &pressed, UNCHANGED).await;
    let sent = pipeline.discord_messages(CHANNEL, 4).await;
    assert_eq!(pipeline.backend.calls()[1].last_text(), "another");
    assert!(
        sent[2..]
            .iter()
            .all(|message| message.endpoint == Endpoint::FollowUp)
    );

    pipeline
        .interaction(DISCORD, &command(CHANNEL, "3", "token-3", "reset", &[]), THINKING)
        .await;
    let sent = pipeline.discord_messages(CHANNEL, 5).await;
    assert_eq!(
        (sent[4].endpoint, sent[4].text.as_str()),
        (Endpoint::Original, RESET_MESSAGE)
    );
    pipeline.settled().await;
    assert_eq!(pipeline.backend.calls().len(), 2);
    assert_eq!(pipeline.discord.sent_to(CHANNEL).len(), 5);
}

#[tokio::test]
async fn a_webhook_with_nothing_to_say_ends_the_thinking() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.backend.respond_with(|_| Scripted::Status {
        status: 204,
        headers: Vec::new(),
        body: Default::default(),
    });
    let asked = command(CHANNEL, "1", "token-1", "ask", &[("prompt", "hush")]);
    pipeline.interaction(DISCORD, &asked, THINKING).await;
    pipeline.settled().await;
    assert!(!pipeline.discord.is_thinking("token-1"));
    assert_eq!(pipeline.discord.sent().len(), 0);
}
