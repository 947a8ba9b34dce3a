//! What the broker holds.

use async_nats::ConnectOptions;
use bus::Entry;
use proto_schemas::access::inbox_prefix;
use proto_schemas::dead_letter::{DeadLetter, Stage};
use proto_schemas::ids::ConversationId;
use proto_schemas::subjects;
use proto_schemas::topology::{DEAD_LETTERS, TRANSCRIPTS};
use proto_schemas::transcript::Transcript;
use testkit::condition::{PATIENCE, wait_for, wait_until};
use tests::broker::{is_idle, stored};
use tests::secured::Secured;

use crate::pipeline::Pipeline;

impl Pipeline {
    /// What a stream holds under a subject, oldest first.
    pub(crate) async fn stored(&self, stream: &str, subject: &str) -> Vec<Entry> {
        stored(&self.bus, stream, subject).await
    }

    /// All dead letters, oldest first.
    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let stored = self.stored(DEAD_LETTERS.name, "dead-letters.>").await;
        stored.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// All dead letters, when there are at least `count`.
    pub(crate) async fn wait_for_dead_letters(&self, count: usize) -> Vec<DeadLetter> {
        wait_for(PATIENCE, &format!("{count} dead letters"), async || {
            let found = self.dead_letters().await;
            (found.len() >= count).then_some(found)
        })
        .await
    }

    /// The finished turns of a conversation, oldest first.
    pub(crate) async fn transcripts(&self, conversation: &ConversationId) -> Vec<Transcript> {
        let subject = subjects::transcript(conversation);
        let stored = self.stored(TRANSCRIPTS.name, &subject).await;
        stored.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// The finished turns of all conversations.
    pub(crate) async fn all_transcripts(&self) -> Vec<Transcript> {
        let stored = self.stored(TRANSCRIPTS.name, "transcripts.*").await;
        stored.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// Waits until nothing is left to do. What has not happened by then does not happen.
    pub(crate) async fn settled(&self) {
        let mut looks = 0;
        wait_until(PATIENCE, "all work to be settled", async || {
            // The consumers are asked one after the other, so work may have moved on meanwhile: look twice.
            looks = if is_idle(&self.bus).await { looks + 1 } else { 0 };
            looks == 2
        })
        .await;
    }
}

/// How a test connects by the broker's own client, as a user.
pub(crate) fn connecting_as(secured: &Secured, user: &str) -> ConnectOptions {
    let identity = secured.identity(user);
    ConnectOptions::new()
        .nkey(identity.key.unwrap().seed().to_owned())
        .add_root_certificates(identity.roots.unwrap())
        .custom_inbox_prefix(inbox_prefix(user))
}

/// Stage and class of dead letters, in order.
pub(crate) fn causes(dead_letters: &[DeadLetter]) -> Vec<(Stage, &str)> {
    let causes = dead_letters.iter();
    causes
        .map(|letter| (letter.stage, letter.class.as_str()))
        .collect()
}
