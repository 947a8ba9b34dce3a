//! How far behind a consumer is, and what a stream holds: for metrics.

use proto_schemas::ids::UnixMillis;
use proto_schemas::topology::ConsumerSpec;

use crate::{Bus, BusError, ConsumerState};

/// How far behind a consumer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// What it has to do.
    pub state: ConsumerState,
    /// When the oldest message that is not settled was stored; none when there is none.
    pub oldest: Option<UnixMillis>,
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// How many messages.
    pub messages: u64,
    /// The sequence of the oldest of them; that of the next one when there is none.
    pub first: u64,
    /// The sequence of the newest that it ever held.
    pub last: u64,
    /// When the oldest of them was stored; none when there is none.
    pub oldest: Option<UnixMillis>,
}

impl Bus {
    /// Asks how far behind a consumer is: one request when it has nothing to do, else two.
    ///
    /// The oldest message that is not settled is the first behind those up to which all are. In a work queue that is
    /// the stream's first, too; a stream that keeps its messages tells it in no other way. The server finds the first
    /// message from a sequence on without a search, whatever its subject.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away, refuses, or there is no such consumer.
    pub async fn lag(&self, spec: &ConsumerSpec) -> Result<Lag, BusError> {
        let state = self.consumer_state(spec).await?;
        let mut oldest = None;
        if state.pending + state.ack_pending > 0 {
            let found = self.first(spec.stream, ">", state.settled_through + 1).await?;
            oldest = found.and_then(|entry| entry.stored_millis());
        }
        Ok(Lag { state, oldest })
    }

    /// Asks what a stream holds.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away or there is no such stream.
    pub async fn holdings(&self, stream: &str) -> Result<Holdings, BusError> {
        self.check_connected()?;
        let found = self.jetstream.get_stream(stream).await;
        let found = found.map_err(|error| BusError::Unavailable(error.to_string()))?;
        let state = &found.cached_info().state;
        let first = u64::try_from(state.first_timestamp.unix_timestamp_nanos() / 1_000_000);
        Ok(Holdings {
            messages: state.messages,
            first: state.first_sequence,
            last: state.last_sequence,
            oldest: first.ok().filter(|_| state.messages > 0).map(UnixMillis),
        })
    }
}
