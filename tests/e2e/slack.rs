//! Slack, from a thread and back into it.

use serde_json::json;
use testkit::backend::Scripted;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::slack::{channel_message, in_thread, mention_of, with_file};

use crate::files::image_links;
use crate::manifest::SLACK;
use crate::pipeline::{Options, Pipeline};

const CHANNEL: &str = "C00FAKECHAN1";
const THREAD: &str = "1766458026.240809";
const PICTURE: &[u8] = b"\x89PNG a cat";
const REPORT: &[u8] = b"%PDF-1.7 a cat";

#[tokio::test]
async fn a_message_with_a_file_in_a_thread_is_answered_in_the_thread() {
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.slack.add_file("F1", "image/png", PICTURE);
    let url = pipeline.files.add("report.pdf", "application/pdf", REPORT);
    let attachment = json!({ "url": url, "filename": "report.pdf", "mime_type": "application/pdf" });
    let reply = json!({ "content": "A cat, 1 < 2.", "attachments": [attachment] });
    pipeline
        .backend
        .respond_with(move |_| Scripted::Reply(reply.clone()));

    let said = channel_message(CHANNEL, "1766458031.859009", "<@U00FAKEBOT01> what is this?");
    let asked = with_file(
        in_thread(said, THREAD),
        "F1",
        "cat.png",
        "image/png",
        PICTURE.len(),
    );
    pipeline.event(SLACK, &asked).await;
    pipeline.event(SLACK, &mention_of(&asked)).await;

    let calls = pipeline.backend.wait_for_calls(1).await;
    assert_eq!(calls[0].last_text(), "what is this?");
    let metadata = &calls[0].request.as_ref().unwrap().metadata;
    assert_eq!(metadata.chat_id, CHANNEL);
    let links = image_links(&calls[0]);
    let picture = client().get(&links[0]).send().await.unwrap();
    assert_eq!(picture.bytes().await.unwrap(), PICTURE);

    pipeline.slack_messages(CHANNEL, 2).await;
    // The bot takes part in the thread now, so it need not be called by its name.
    let more = channel_message(CHANNEL, "1766458040.000001", "and now?");
    pipeline.event(SLACK, &in_thread(more, THREAD)).await;
    let sent = pipeline.slack_messages(CHANNEL, 4).await;
    pipeline.settled().await;

    assert_eq!(
        pipeline.backend.calls().len(),
        2,
        "the mention was the same message"
    );
    assert_eq!(pipeline.slack.sent_to(CHANNEL).len(), 4);
    assert!(
        sent.iter()
            .all(|message| message.thread_ts.as_deref() == Some(THREAD))
    );
    for answer in sent.chunks(2) {
        assert_eq!(answer[0].text, "A cat, 1 &lt; 2.");
        let file = answer[1].file.as_ref().unwrap();
        assert_eq!((file.name.as_str(), &file.bytes[..]), ("report.pdf", REPORT));
    }
}

#[tokio::test]
async fn while_the_webhook_works_its_thread_is_shown_so() {
    let pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.backend.hold();
    let asked = channel_message(CHANNEL, "1766458031.859009", "<@U00FAKEBOT01> think hard");
    pipeline.event(SLACK, &asked).await;
    wait_until(PATIENCE, "the thread to be shown", async || {
        pipeline.slack.calls("assistant.threads.setStatus") == 1
    })
    .await;
    gate.release();
    pipeline.slack_messages(CHANNEL, 1).await;
}
