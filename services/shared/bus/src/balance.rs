//! What a work queue holds, against what its consumer knows of.

use proto_schemas::topology::ConsumerSpec;

use crate::{Bus, BusError, ConsumerState};

/// One look at a work queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Messages that the stream holds and its consumer counts neither as waiting nor as in work. The figures are of
    /// different moments: while messages come and go a few say nothing, unless they are there at every look.
    pub unknown: u64,
    /// The sequence up to which the consumer has delivered.
    pub delivered_through: u64,
}

impl Bus {
    /// Compares a work queue with its consumer.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away or there is no such stream or consumer.
    pub async fn balance(&self, spec: &ConsumerSpec) -> Result<Balance, BusError> {
        let before = self.consumer_state(spec).await?;
        let held = self.holdings(spec.stream).await?.messages;
        let after = self.consumer_state(spec).await?;
        let known = known(&before).max(known(&after));
        Ok(Balance {
            unknown: held.saturating_sub(known),
            delivered_through: before.delivered_through,
        })
    }
}

fn known(state: &ConsumerState) -> u64 {
    state.pending + state.ack_pending
}
