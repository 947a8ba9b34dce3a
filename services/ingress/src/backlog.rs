//! How many messages of a conversation may wait for their answers. A sender that never waits would otherwise
//! fill the broker on behalf of a bot that cannot keep up.
//!
//! Counting costs reads, so it is done once for many messages: what a count leaves free is an allowance, spent
//! without looking. Each replica has its own, so the bound is exact for one and loose for several.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bus::{Bus, BusError};
use proto_schemas::context::ANSWERED_THROUGH;
use proto_schemas::ids::ConversationId;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, INBOX, bucket_stream};

use crate::error::Refused;

/// What a conversation may send before it is looked at for the first time: most never send more at once.
const UNSEEN: u32 = 4;
/// Bytes of the one entry that a count brings along; the rest is only counted.
const ENTRY_BYTES: usize = 1 << 20;

/// The allowances.
pub(crate) struct Backlog {
    limit: u32,
    allowances: Mutex<HashMap<ConversationId, Allowance>>,
}

#[derive(Clone, Copy)]
struct Allowance {
    left: u32,
    /// Whether it was used since the last sweep.
    used: bool,
}

impl Backlog {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            allowances: Mutex::default(),
        }
    }

    /// Takes one of the messages that the conversation may send. `newest` is the sequence of the last one in its
    /// inbox.
    ///
    /// # Errors
    /// [`Refused::BacklogFull`] when as many wait as may wait.
    pub(crate) async fn take(
        &self,
        bus: &Bus,
        conversation: &ConversationId,
        newest: u64,
    ) -> Result<(), Refused> {
        if self.spend(conversation) {
            return Ok(());
        }
        let waiting = u32::try_from(waiting(bus, conversation, newest).await?).unwrap_or(u32::MAX);
        let left = self
            .limit
            .checked_sub(waiting)
            .and_then(|free| free.checked_sub(1))
            .ok_or(Refused::BacklogFull)?;
        self.allow(conversation, left);
        Ok(())
    }

    fn spend(&self, conversation: &ConversationId) -> bool {
        let mut allowances = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        let unseen = Allowance {
            left: UNSEEN.min(self.limit),
            used: true,
        };
        let allowance = allowances.entry(conversation.clone()).or_insert(unseen);
        allowance.used = true;
        let left = allowance.left.checked_sub(1);
        allowance.left = left.unwrap_or(0);
        left.is_some()
    }

    fn allow(&self, conversation: &ConversationId, left: u32) {
        let mut allowances = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        allowances.insert(conversation.clone(), Allowance { left, used: true });
    }

    /// Lets go of conversations that sent nothing since the last time.
    pub(crate) fn forget_idle(&self) {
        let mut allowances = self.allowances.lock().unwrap_or_else(PoisonError::into_inner);
        allowances.retain(|_, allowance| std::mem::take(&mut allowance.used));
    }
}

/// How many entries of a conversation's inbox lie behind its cursor.
async fn waiting(bus: &Bus, conversation: &ConversationId, newest: u64) -> Result<u64, BusError> {
    let key = subjects::key(CONTEXTS.name, conversation.as_str());
    let context = bus.last(&bucket_stream(&CONTEXTS), &key).await?;
    let cursor = context.and_then(|entry| entry.header(ANSWERED_THROUGH)?.parse::<u64>().ok());
    let cursor = cursor.unwrap_or(0);
    if newest <= cursor {
        return Ok(0);
    }
    let subject = subjects::inbox(conversation);
    let entries = bus
        .entries(INBOX.name, &subject, cursor + 1, 1, ENTRY_BYTES)
        .await?;
    Ok(entries.list.len() as u64 + entries.behind)
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

    #[test]
    fn only_who_is_quiet_for_a_whole_sweep_is_forgotten() {
        let backlog = Backlog::new(1);
        assert!(backlog.spend(&conversation("conv_a")));
        backlog.forget_idle();
        assert!(!backlog.spend(&conversation("conv_a")));
        backlog.forget_idle();
        backlog.forget_idle();
        assert!(backlog.spend(&conversation("conv_a")));
    }
}
