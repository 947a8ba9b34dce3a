//! Shows how many dead letters there are.
//!
//! Every stage writes dead letters, but one service shows them, or each figure would be there many times. It is this
//! one because it is always there: a stage may be scaled to nothing while it has nothing to do, and what takes pushes
//! may not. Its replicas show the same figures: take the greatest over them, not the sum.

use std::convert::Infallible;

use bus::{Bus, BusError};
use prometheus::IntGauge;
use proto_schemas::topology::DEAD_LETTERS;
use runtime::lag::PERIOD;
use runtime::metrics::{MetricError, Metrics, amount, timestamp};
use tokio::time::MissedTickBehavior;

/// What is shown of the stream.
pub(crate) struct DeadLetters {
    bus: Bus,
    messages: IntGauge,
    oldest: IntGauge,
}

impl DeadLetters {
    pub(crate) fn new(bus: Bus, metrics: &Metrics) -> Result<Self, MetricError> {
        Ok(Self {
            bus,
            messages: metrics.gauge(
                "dead_letters",
                "Dead letters that are kept: neither replayed nor purged, nor too old.",
            )?,
            oldest: metrics.gauge(
                "dead_letters_oldest_timestamp_seconds",
                "When the oldest dead letter that is kept was written; 0 when there is none.",
            )?,
        })
    }

    /// Looks now and then, for as long as it is polled.
    pub(crate) async fn watch(self) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.look().await {
                // What was shown last stays. That the broker is away is told where it is lost.
                tracing::debug!(%error, "the dead letters cannot be counted");
            }
        }
    }

    async fn look(&self) -> Result<(), BusError> {
        let held = self.bus.holdings(DEAD_LETTERS.name).await?;
        self.messages.set(amount(held.messages));
        self.oldest.set(timestamp(held.oldest));
        Ok(())
    }
}
