//! Files in both directions.

use proto_schemas::dead_letter::Stage;
use proto_schemas::webhook::{ContentPart, WebhookContent};
use serde_json::json;
use testkit::backend::{Recorded, Scripted};
use testkit::client::client;
use testkit::telegram::{in_album, photo_update, text_update};

use crate::manifest::{TELEGRAM, WEB};
use crate::pipeline::{Options, Pipeline};

/// The beginning of a JPEG, and enough behind it for several chunks of the object store.
pub(crate) fn photo() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0];
    bytes.extend((0..400_000_u32).map(|number| u8::try_from(number % 251).unwrap()));
    bytes
}

#[tokio::test]
async fn a_photo_reaches_the_webhook_as_a_link_to_the_very_bytes() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.telegram.add_file("AgAC-big", photo());
    let update = photo_update(1, 7001, 41, "AgAC-big", "what is this?");
    pipeline.update(TELEGRAM, &update).await;
    let calls = pipeline.backend.wait_for_calls(1).await;
    assert_eq!(calls[0].last_text(), "what is this?");
    let link = image_links(&calls[0]).pop().unwrap();
    assert_eq!(fetch(&link).await, (200, photo()));
    let forged = link.replace("signature=", "signature=A");
    assert_eq!(fetch(&forged).await.0, 403);
    pipeline.telegram_messages(7001, 1).await;
}

#[tokio::test]
async fn an_album_is_one_question_with_all_its_pictures() {
    let pipeline = Pipeline::start(Options::default()).await;
    // Nobody looks before the last picture is there, however long the machine takes to push them.
    let builder = pipeline.service(Stage::ContextBuilder);
    builder.pause().await;
    push_album(&pipeline, "first", 41, 3).await;
    pipeline
        .update(TELEGRAM, &text_update(44, 7001, 44, "and this?"))
        .await;
    // Nothing follows this one: it is whole when nothing has come for a while.
    push_album(&pipeline, "second", 45, 2).await;
    builder.resume();
    let replies = pipeline.telegram_messages(7001, 3).await;
    pipeline.settled().await;
    let calls = pipeline.backend.calls();
    let asked: Vec<String> = calls.iter().map(Recorded::last_text).collect();
    assert_eq!(asked, ["the first?", "and this?", "the second?"]);
    assert_eq!(
        (image_links(&calls[0]).len(), image_links(&calls[2]).len()),
        (3, 2)
    );
    let answered: Vec<Option<i64>> = replies.iter().map(|reply| reply.reply_to).collect();
    assert_eq!(answered, [Some(43), Some(44), Some(46)]);
}

/// Telegram pushes `count` pictures that were sent together, the first of them with a caption.
async fn push_album(pipeline: &Pipeline, name: &str, first: i64, count: i64) {
    for number in first..first + count {
        let (file, caption) = (format!("AgAC-{number}"), format!("the {name}?"));
        pipeline.telegram.add_file(&file, photo());
        let caption = if number == first { &*caption } else { "" };
        let update = photo_update(number, 7001, number, &file, caption);
        pipeline.update(TELEGRAM, &in_album(update, name)).await;
    }
}

#[tokio::test]
async fn a_file_at_a_link_or_in_the_push_itself_reaches_the_webhook() {
    let pipeline = Pipeline::start(Options::default()).await;
    let url = pipeline.files.add("cat.jpg", "image/jpeg", photo());
    let message = json!({
        "conversation_id": "ada",
        "user": { "id": "ada" },
        "text": "compare",
        "attachments": [
            { "url": url, "name": "cat.jpg", "content_type": "image/jpeg" },
            { "data_base64": "/9j/4AA=", "name": "dog.jpg", "content_type": "image/jpeg" },
        ],
    });
    pipeline.push(WEB, "push-1", &message).await.unwrap();
    let calls = pipeline.backend.wait_for_calls(1).await;
    let links = image_links(&calls[0]);
    assert_eq!(links.len(), 2);
    assert_eq!(fetch(&links[0]).await, (200, photo()));
    assert_eq!(fetch(&links[1]).await, (200, vec![0xff, 0xd8, 0xff, 0xe0, 0x00]));
    pipeline.replies("ada", 1).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_had_does_not_hold_the_message_back() {
    let pipeline = Pipeline::start(Options::default()).await;
    let message = json!({
        "conversation_id": "ada",
        "user": { "id": "ada" },
        "text": "read this",
        "attachments": [{ "url": pipeline.files.url("gone.txt"), "name": "gone.txt" }],
    });
    pipeline.push(WEB, "push-1", &message).await.unwrap();
    let calls = pipeline.backend.wait_for_calls(1).await;
    let text = calls[0].last_text();
    assert!(text.contains("read this") && text.contains("gone.txt"), "{text}");
    pipeline.replies("ada", 1).await;
}

#[tokio::test]
async fn a_file_of_a_reply_reaches_the_chat_as_link_or_as_document() {
    let pipeline = Pipeline::start(Options::default()).await;
    let (url, bytes) = ask_for_report(&pipeline).await;

    assert_eq!(pipeline.replies("ada", 1).await, ["Here it is."]);
    let file = pipeline.replies_now("ada")[0].body["attachments"][0].clone();
    assert_eq!(file["name"], "report.pdf");
    let link = file["url"].as_str().unwrap();
    assert_ne!(link, url, "the link is ours, signed and expiring");
    assert_eq!(fetch(link).await, (200, bytes.clone()));

    let sent = pipeline.telegram_messages(7001, 2).await;
    assert_eq!(sent[0].text, "Here it is.");
    assert_eq!(sent[1].method, "sendDocument");
    let document = sent[1].file.as_ref().unwrap();
    assert_eq!(
        (document.name.as_str(), document.bytes.to_vec()),
        ("report.pdf", bytes)
    );
}

/// Asks over both channels for a report, which the webhook replies with; returns its address and its bytes.
pub(crate) async fn ask_for_report(pipeline: &Pipeline) -> (String, Vec<u8>) {
    let bytes = b"%PDF-1.7 the report".to_vec();
    let url = pipeline
        .files
        .add("made-report", "application/pdf", bytes.clone());
    let attachment = json!({ "url": url, "filename": "report.pdf", "mime_type": "application/pdf" });
    let reply = json!({ "content": "Here it is.", "attachments": [attachment] });
    pipeline
        .backend
        .respond_with(move |_| Scripted::Reply(reply.clone()));
    pipeline.say(WEB, "ada", "the report, please").await;
    pipeline
        .update(TELEGRAM, &text_update(1, 7001, 41, "the report, please"))
        .await;
    (url, bytes)
}

/// The images that the webhook was asked about last.
pub(crate) fn image_links(call: &Recorded) -> Vec<String> {
    let request = call.request.as_ref().unwrap();
    let question = request.messages.last().unwrap();
    let WebhookContent::Parts(parts) = &question.content else {
        panic!("{question:?} has no files")
    };
    let link = |part: &ContentPart| match part {
        ContentPart::ImageUrl { image_url } => Some(image_url.url.clone()),
        ContentPart::Text { .. } | ContentPart::File { .. } => None,
    };
    parts.iter().filter_map(link).collect()
}

/// What a link gives whoever has it.
pub(crate) async fn fetch(url: &str) -> (u16, Vec<u8>) {
    let response = client().get(url).send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.bytes().await.unwrap().to_vec())
}
