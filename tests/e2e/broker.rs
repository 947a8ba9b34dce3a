//! What the broker holds.

use bus::{Bus, Entry};
use proto_schemas::dead_letter::{DeadLetter, Stage};
use proto_schemas::ids::ConversationId;
use proto_schemas::subjects;
use proto_schemas::topology::{CONSUMERS, DEAD_LETTERS, TRANSCRIPTS};
use proto_schemas::transcript::Transcript;
use testkit::condition::{PATIENCE, wait_for, wait_until};

use crate::pipeline::Pipeline;

/// More than any test stores.
const ALL: usize = 10_000;
const ALL_BYTES: usize = 64 << 20;

impl Pipeline {
    /// What a stream holds under a subject, oldest first.
    pub(crate) async fn stored(&self, stream: &str, subject: &str) -> Vec<Entry> {
        let stored = self
            .bus
            .entries(stream, subject, 1, ALL, ALL_BYTES)
            .await
            .unwrap();
        assert!(stored.behind == 0, "{stream} holds more than a test stores");
        stored.list
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

/// Stage and class of dead letters, in order.
pub(crate) fn causes(dead_letters: &[DeadLetter]) -> Vec<(Stage, &str)> {
    let causes = dead_letters.iter();
    causes
        .map(|letter| (letter.stage, letter.class.as_str()))
        .collect()
}

async fn is_idle(bus: &Bus) -> bool {
    for consumer in &CONSUMERS {
        match bus.consumer_state(consumer).await {
            Ok(state) if state.pending == 0 && state.ack_pending == 0 => {}
            Ok(_) | Err(_) => return false,
        }
    }
    true
}
