//! Frees slots that hold settled messages.
//!
//! A nats-server that is killed may come back with messages that were acknowledged: its consumer remembers the
//! acknowledgement, the stream has lost the removal. It mends that itself for messages up to the first one that is not
//! settled, and above it only when it starts the next time (2.15.1, found by `make faults`). Nobody is ever handed such a
//! message, and its slot stays taken: what waits for the slot would wait for ever.
//!
//! So each replica compares the stream with its consumer now and then, and soon after the broker has come back. If the
//! stream holds more than the consumer knows of, the stage is asked about the messages that were delivered, and what is
//! settled is removed. That may be one that somebody still has in hand, and is about to let go of.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::{Balance, Bus, BusError, Entry, TraceContext};
use proto_schemas::topology::ConsumerSpec;
use proto_schemas::wire::TRACEPARENT;

use crate::metrics::LeftoverMetrics;
use crate::random;
use crate::service::{Process, StartError};
use crate::stage::{Left, Settles};

/// How often a stream is compared with its consumer, at least. Up to twice as long, so that replicas take turns.
const PERIOD: Duration = Duration::from_secs(15);
/// How many looks in a row may find something and nothing of it to remove before they come ever less often.
const FRUITLESS_LOOKS: u32 = 8;
/// And how seldom at most.
const LONGEST_PERIOD: Duration = Duration::from_secs(15 * 60);
/// How soon after the start, and after the broker has come back; up to twice as long.
const SOON: Duration = Duration::from_secs(1);
/// What is missing at each of so many looks is not just on its way.
const LOOKS: u32 = 4;
/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// What one look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Messages that the consumer does not know of.
    pub unknown: u64,
    /// Messages that were settled, and are removed.
    pub removed: u64,
}

/// Looks after the slots that one stage works off.
pub struct Leftovers<S> {
    /// The stage.
    pub stage: Arc<S>,
    /// Where its work comes from.
    pub consumer: ConsumerSpec,
    /// The broker.
    pub bus: Bus,
    /// What is counted.
    pub metrics: LeftoverMetrics,
}

/// Looks after the slots of a service's stage until shutdown.
///
/// # Errors
/// [`StartError`] when its metrics are declared already.
pub fn watch<S: Settles>(process: &Process, stage: Arc<S>, consumer: ConsumerSpec) -> Result<(), StartError> {
    let leftovers = Leftovers {
        stage,
        consumer,
        bus: process.bus.clone(),
        metrics: LeftoverMetrics::new(&process.metrics)?,
    };
    process.tasks.endless("leftovers", leftovers.run());
    Ok(())
}

impl<S: Settles> Leftovers<S> {
    /// Looks now and then, for ever. What fails is tried again at the next look.
    async fn run(self) -> Result<(), Infallible> {
        let (mut pause, mut fruitless) = (SOON, 0_u32);
        // From before the first look, so that a loss in the midst of one is not missed.
        let mut session = self.bus.session();
        let mut connected = self.bus.connected();
        loop {
            let back = async {
                session.over().await;
                connected.wait_for(|connected| *connected).await.is_ok()
            };
            tokio::select! {
                () = tokio::time::sleep(spread(pause)) => {}
                is_back = back => {
                    if !is_back {
                        // The client is no more; the service ends.
                        return std::future::pending().await;
                    }
                    tokio::time::sleep(spread(SOON)).await;
                }
            }
            session = self.bus.session();
            pause = match self.look().await {
                Ok(Look { unknown, removed }) => {
                    fruitless = if unknown > 0 && removed == 0 {
                        fruitless + 1
                    } else {
                        0
                    };
                    let doublings = fruitless.saturating_sub(FRUITLESS_LOOKS);
                    PERIOD.saturating_mul(1 << doublings.min(6)).min(LONGEST_PERIOD)
                }
                Err(error) => {
                    let stream = self.consumer.stream;
                    tracing::debug!(%error, stream, "the stream cannot be compared with its consumer");
                    SOON
                }
            };
        }
    }

    /// Compares, and removes what is settled.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn look(&self) -> Result<Look, BusError> {
        let Balance {
            unknown,
            delivered_through,
        } = self.balance().await?;
        if unknown == 0 {
            self.metrics.unexplained(0);
            return Ok(Look { unknown, removed: 0 });
        }
        let removed = self.remove_settled(unknown, delivered_through).await?;
        self.metrics.removed(removed);
        // Other replicas remove as well.
        let left = self.balance().await?.unknown;
        self.metrics.unexplained(left);
        tracing::warn!(
            stream = self.consumer.stream,
            unknown,
            removed,
            left,
            "the stream held messages that its consumer does not know of; settled ones were removed"
        );
        Ok(Look { unknown, removed })
    }

    /// The least of several looks.
    async fn balance(&self) -> Result<Balance, BusError> {
        let mut least = self.bus.balance(&self.consumer).await?;
        for _ in 1..LOOKS {
            if least.unknown == 0 {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            let again = self.bus.balance(&self.consumer).await?;
            least.unknown = least.unknown.min(again.unknown);
        }
        Ok(least)
    }

    /// Removes what is settled of what was delivered, until so many are found; how many it were.
    async fn remove_settled(&self, unknown: u64, delivered_through: u64) -> Result<u64, BusError> {
        let mut removed = 0;
        let mut pages = self.bus.pages(self.consumer.stream, ">", 1);
        while removed < unknown
            && let Some(page) = pages.next().await?
        {
            for entry in &page {
                if entry.sequence > delivered_through {
                    return Ok(removed);
                }
                if self.is_settled(entry).await {
                    removed += self.remove(entry).await?;
                }
            }
        }
        Ok(removed)
    }

    /// What cannot be decoded is the runner's to bury, and what cannot be looked up is not settled: it must not keep
    /// those behind it from being looked at.
    async fn is_settled(&self, entry: &Entry) -> bool {
        let (Ok(input), Some(stored_at)) = (entry.decode::<S::Input>(), entry.stored_millis()) else {
            return false;
        };
        let trace = entry.header(TRACEPARENT).and_then(TraceContext::parse);
        let left = Left {
            stored_at,
            trace: trace.unwrap_or_default(),
        };
        match self.stage.is_settled(&input, left).await {
            Ok(settled) => settled,
            Err(error) => {
                tracing::debug!(%error, subject = entry.subject, "it cannot be looked up whether it is settled");
                false
            }
        }
    }

    async fn remove(&self, entry: &Entry) -> Result<u64, BusError> {
        match self.bus.delete(self.consumer.stream, entry.sequence).await {
            Ok(()) => Ok(1),
            // Another replica was quicker, or whoever had it has let go of it.
            Err(BusError::Refused { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn spread(pause: Duration) -> Duration {
    pause.mul_f64(1.0 + random::fraction())
}
