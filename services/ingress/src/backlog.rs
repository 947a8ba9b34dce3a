//! How many messages of a conversation may wait for their answers. A sender that never waits would otherwise
//! fill the broker on behalf of a bot that cannot keep up.
//!
//! Counting costs reads, so it is done once for many messages: what a count leaves free is an allowance, spent
//! without looking. Each replica has its own, so the bound is exact for one and loose for several.

use bus::{Bus, BusError};
use proto_schemas::context::ANSWERED_THROUGH;
use proto_schemas::ids::ConversationId;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, INBOX, bucket_stream};

use crate::error::Refused;
use crate::recent::Recent;

/// What a conversation may send before it is looked at for the first time: most never send more at once.
const UNSEEN: u32 = 4;
/// Bytes of the one entry that a count brings along; the rest is only counted.
const ENTRY_BYTES: usize = 1 << 20;

/// What each conversation may still send without being looked at.
pub(crate) struct Backlog {
    limit: u32,
    allowances: Recent<u32>,
}

impl Backlog {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            allowances: Recent::default(),
        }
    }

    /// Takes one of the messages that the conversation may send.
    ///
    /// # Errors
    /// [`Refused::BacklogFull`] when as many wait as may wait.
    pub(crate) async fn take(&self, bus: &Bus, conversation: &ConversationId) -> Result<(), Refused> {
        if self.spend(conversation) {
            return Ok(());
        }
        let waiting = u32::try_from(waiting(bus, conversation).await?).unwrap_or(u32::MAX);
        let left = self
            .limit
            .checked_sub(waiting)
            .and_then(|free| free.checked_sub(1))
            .ok_or(Refused::BacklogFull)?;
        self.allowances.set(conversation, left);
        Ok(())
    }

    fn spend(&self, conversation: &ConversationId) -> bool {
        let mut had_one = false;
        self.allowances.update(conversation, |left| {
            let left = left.unwrap_or(UNSEEN.min(self.limit));
            had_one = left > 0;
            left.saturating_sub(1)
        });
        had_one
    }

    /// Lets go of conversations that sent nothing since the last time.
    pub(crate) fn forget_idle(&self) {
        self.allowances.forget_idle();
    }
}

/// How many entries of a conversation's inbox lie behind its cursor.
async fn waiting(bus: &Bus, conversation: &ConversationId) -> Result<u64, BusError> {
    let key = subjects::key(CONTEXTS.name, conversation.as_str());
    let context = bus.last(&bucket_stream(&CONTEXTS), &key).await?;
    let cursor = context.and_then(|entry| entry.header(ANSWERED_THROUGH)?.parse::<u64>().ok());
    let cursor = cursor.unwrap_or(0);
    let subject = subjects::inbox(conversation);
    // Found at once. A search for what comes after the cursor goes through everybody's entries.
    if newest(bus, &subject).await? <= cursor {
        return Ok(0);
    }
    let entries = bus
        .entries(INBOX.name, &subject, cursor + 1, 1, ENTRY_BYTES)
        .await?;
    Ok(entries.list.len() as u64 + entries.behind)
}

/// The sequence of the newest entry in an inbox; 0 when there is none.
pub(crate) async fn newest(bus: &Bus, subject: &str) -> Result<u64, BusError> {
    let newest = bus.last(INBOX.name, subject).await?;
    Ok(newest.map_or(0, |entry| entry.sequence))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation(id: &str) -> ConversationId {
        ConversationId::new(id).unwrap()
    }

    #[test]
    fn a_few_messages_are_taken_without_looking() {
        let backlog = Backlog::new(20);
        let spent = (0..UNSEEN).all(|_| backlog.spend(&conversation("conv_a")));
        assert!(spent);
        assert!(!backlog.spend(&conversation("conv_a")));
        assert!(backlog.spend(&conversation("conv_b")));
    }
}
