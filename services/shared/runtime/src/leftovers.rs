//! Frees slots that hold settled messages.
//!
//! A nats-server that is killed may come back with messages that were acknowledged: its consumer remembers the
//! acknowledgement, the stream has lost the removal. It mends that itself for messages up to the first one that is not
//! settled, and above it only when it starts the next time (2.15.1, found by `make faults`). Nobody is ever handed such a
//! message, and its slot stays taken: what waits for the slot would wait for ever.
//!
//! So each replica compares the stream with its consumer now and then, and soon after it has lost the broker. If the
//! stream holds more than the consumer knows of, the stage is asked about every message that was delivered, and what is
//! settled is removed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::{Balance, Bus, BusError, Entry, TraceContext};
use proto_schemas::topology::ConsumerSpec;
use proto_schemas::wire::TRACEPARENT;

use crate::metrics::LeftoverMetrics;
use crate::random;
use crate::service::{Process, StartError};
use crate::stage::Settles;

/// How often a stream is compared with its consumer, at least. Up to twice as long, so that replicas take turns.
const PERIOD: Duration = Duration::from_secs(15);
/// How soon after the start, and after the broker has come back; up to twice as long.
const SOON: Duration = Duration::from_secs(1);
/// What is missing at each of so many looks is not just on its way.
const LOOKS: u32 = 4;
/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// Messages read at once, and about how many bytes.
const PAGE: usize = 64;
const PAGE_BYTES: usize = 1024 * 1024;

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
        let mut connected = self.bus.connected();
        let mut pause = SOON;
        loop {
            let returns = async {
                let gone = connected.wait_for(|connected| !connected).await.is_ok();
                if !gone || connected.wait_for(|connected| *connected).await.is_err() {
                    // The connection is closed for good; the service ends.
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(spread(pause)) => {}
                () = returns => tokio::time::sleep(spread(SOON)).await,
            }
            pause = match self.look().await {
                Ok(()) => PERIOD,
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
    pub async fn look(&self) -> Result<(), BusError> {
        let Balance {
            unknown,
            delivered_through,
        } = self.balance().await?;
        let removed = if unknown == 0 {
            0
        } else {
            self.remove_settled(delivered_through).await?
        };
        let unexplained = unknown.saturating_sub(removed);
        self.metrics.looked(removed, unexplained);
        if unknown > 0 {
            tracing::warn!(
                stream = self.consumer.stream,
                unknown,
                removed,
                "the stream held messages that its consumer does not know of; those that are settled were removed"
            );
        }
        Ok(())
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

    /// Removes what is settled of what was delivered; how many messages that was.
    async fn remove_settled(&self, delivered_through: u64) -> Result<u64, BusError> {
        let (mut from, mut removed) = (1, 0);
        while from <= delivered_through {
            let page = self
                .bus
                .entries(self.consumer.stream, ">", from, PAGE, PAGE_BYTES)
                .await?;
            let Some(last) = page.list.last() else { break };
            from = last.sequence + 1;
            for entry in &page.list {
                if entry.sequence <= delivered_through && self.is_settled(entry).await? {
                    removed += self.remove(entry).await?;
                }
            }
        }
        Ok(removed)
    }

    /// What cannot be decoded is the runner's to bury.
    async fn is_settled(&self, entry: &Entry) -> Result<bool, BusError> {
        let Ok(input) = entry.decode::<S::Input>() else {
            return Ok(false);
        };
        let trace = entry.header(TRACEPARENT).and_then(TraceContext::parse);
        self.stage.is_settled(&input, trace.unwrap_or_default()).await
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
