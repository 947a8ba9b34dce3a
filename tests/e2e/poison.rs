//! Entries that nobody can read: each ends as a dead letter, and nothing else is held up.

use bus::Outgoing;
use domain::ids;
use proto_schemas::context::Context;
use proto_schemas::dead_letter::{DeadLetter, Stage};
use proto_schemas::delivery::Delivery;
use proto_schemas::fetch::Fetch;
use proto_schemas::ids::{ConnectionId, ConversationId, TurnId};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, DELIVERIES, FETCHES, INBOX, TURNS};
use proto_schemas::turn::Turn;
use proto_schemas::wire::{MESSAGE_TYPE, Wire};
use serde_json::json;

use crate::broker::causes;
use crate::manifest::WEB;
use crate::pipeline::{Options, Pipeline, echoed};

#[tokio::test]
async fn a_malformed_inbox_entry_becomes_a_dead_letter_and_the_conversation_goes_on() {
    let pipeline = Pipeline::start(Options::default()).await;
    let subject = subjects::inbox(&conversation("ada"));
    let poisoned = poison(&pipeline, INBOX.name, &subject, InboxEntry::TYPE).await;
    assert_eq!(causes(&poisoned), [(Stage::ContextBuilder, "undecodable"); 2]);
    still_answers(&pipeline).await;
}

#[tokio::test]
async fn a_malformed_turn_becomes_a_dead_letter_and_frees_its_slot() {
    let pipeline = Pipeline::start(Options::default()).await;
    let subject = subjects::turn(&conversation("ada"));
    let poisoned = poison(&pipeline, TURNS.name, &subject, Turn::TYPE).await;
    assert_eq!(causes(&poisoned), [(Stage::WebhookCaller, "undecodable"); 2]);
    still_answers(&pipeline).await;
}

#[tokio::test]
async fn a_malformed_delivery_becomes_a_dead_letter_and_frees_its_slot() {
    let pipeline = Pipeline::start(Options::default()).await;
    let subject = subjects::delivery(&conversation("ada"));
    let poisoned = poison(&pipeline, DELIVERIES.name, &subject, Delivery::TYPE).await;
    assert_eq!(causes(&poisoned), [(Stage::Egress, "undecodable"); 2]);
    still_answers(&pipeline).await;
}

#[tokio::test]
async fn a_malformed_fetch_becomes_a_dead_letter_and_frees_its_slot() {
    let pipeline = Pipeline::start(Options::default()).await;
    let message = ids::message_id(&conversation("ada"), "push-1");
    let poisoned = poison(
        &pipeline,
        FETCHES.name,
        &subjects::fetch_in(&message),
        Fetch::TYPE,
    )
    .await;
    assert_eq!(causes(&poisoned), [(Stage::AttachmentFetcher, "undecodable"); 2]);
    let turn = TurnId::new("turn_1").unwrap();
    poison(&pipeline, FETCHES.name, &subjects::fetch_out(&turn), Fetch::TYPE).await;

    let url = pipeline.files.add("notes.txt", "text/plain", "notes");
    let attachment = json!({ "url": url, "name": "notes.txt", "content_type": "text/plain" });
    let message = json!({
        "conversation_id": "ada", "user": { "id": "ada" }, "text": "read", "attachments": [attachment],
    });
    pipeline.push(WEB, "push-1", &message).await.unwrap();
    let calls = pipeline.backend.wait_for_calls(1).await;
    let body = String::from_utf8_lossy(&calls[0].body).into_owned();
    assert!(body.contains("notes.txt"), "{body}");
    pipeline.replies("ada", 1).await;
}

#[tokio::test]
async fn a_malformed_context_becomes_a_dead_letter_and_harms_no_other_conversation() {
    let pipeline = Pipeline::start(Options::default()).await;
    let bob = conversation("bob");
    let subject = subjects::key(CONTEXTS.name, bob.as_str());
    let poisoned = poison(&pipeline, "KV_contexts", &subject, Context::TYPE).await;
    assert_eq!(causes(&poisoned), [(Stage::ContextBuilder, "undecodable"); 2]);
    // What cannot be answered without its context is not lost silently either.
    let receipt = pipeline.say(WEB, "bob", "hello").await;
    let dead_letters = pipeline.wait_for_dead_letters(3).await;
    assert_eq!(dead_letters[2].stage, Stage::ContextBuilder);
    assert_eq!(dead_letters[2].subject, subjects::inbox(&receipt.conversation));
    pipeline.settled().await;
    assert_eq!(pipeline.dead_letters().await.len(), 3);
    still_answers(&pipeline).await;
}

fn conversation(chat: &str) -> ConversationId {
    ids::conversation_id(&ConnectionId::new(WEB).unwrap(), chat, None, None)
}

/// Puts two entries into a stream, one that says nothing of its type and one that lies about it, and returns
/// the dead letters that they become. What stands in them is not retried and not multiplied.
async fn poison(pipeline: &Pipeline, stream: &str, subject: &str, wire_type: &str) -> Vec<DeadLetter> {
    let before = pipeline.dead_letters().await.len();
    let entries = [
        (b"\xff\xfe no text".as_slice(), Vec::new()),
        (
            b"{\"entry\":".as_slice(),
            vec![(MESSAGE_TYPE.to_owned(), wire_type.to_owned())],
        ),
    ];
    for (index, (payload, headers)) in entries.into_iter().enumerate() {
        let identity = format!("{subject}:poison:{index}");
        let message = Outgoing::raw(subject.to_owned(), payload.into(), &identity, headers);
        pipeline.bus.publish(message).await.unwrap();
        // One after the other: a slot takes one entry.
        pipeline.wait_for_dead_letters(before + index + 1).await;
        pipeline.settled().await;
    }
    let dead_letters = pipeline.dead_letters().await.split_off(before);
    for dead_letter in &dead_letters {
        assert_eq!(dead_letter.stream.as_deref(), Some(stream));
        assert_eq!(dead_letter.subject, subject);
    }
    // A dead letter written again leaves one, so the writing is counted too.
    let stage = dead_letters[0].stage;
    let series = "chatbot_dead_letters_published_total{class=\"undecodable\",service=\"";
    let series = format!("{series}{}\"}}", stage.as_str());
    let written = Pipeline::count(pipeline.service(stage), &series).await;
    assert_eq!(
        written,
        u64::try_from(pipeline.dead_letters().await.len()).unwrap()
    );
    dead_letters
}

/// The conversation whose subjects were poisoned works as if nothing had been.
async fn still_answers(pipeline: &Pipeline) {
    let before = pipeline.dead_letters().await.len();
    pipeline.say(WEB, "ada", "one").await;
    pipeline.say(WEB, "ada", "two").await;
    assert_eq!(
        pipeline.replies("ada", 2).await,
        [echoed(&["one"]), echoed(&["one", "two"])]
    );
    pipeline.settled().await;
    assert_eq!(pipeline.dead_letters().await.len(), before);
}
