//! Shows how far behind a service's consumers are.
//!
//! Every replica asks for itself and shows the same figures: take the greatest over replicas, not the sum.

use std::convert::Infallible;
use std::time::Duration;

use bus::{Bus, BusError};
use prometheus::IntGaugeVec;
use proto_schemas::topology::ConsumerSpec;
use tokio::time::MissedTickBehavior;

use crate::metrics::{MetricError, Metrics, amount, timestamp};
use crate::service::{Process, StartError};

/// How often the broker is asked for what only metrics show: as often as most scrapers come. Each time costs two
/// requests for each consumer and replica, and may have the server read a block of the stream from its disk.
pub const PERIOD: Duration = Duration::from_secs(15);

/// Labels of every series.
const LABELS: [&str; 2] = ["stream", "consumer"];

/// What is shown of a service's consumers.
pub struct Lag {
    bus: Bus,
    consumers: Vec<ConsumerSpec>,
    pending: IntGaugeVec,
    ack_pending: IntGaugeVec,
    redelivered: IntGaugeVec,
    oldest: IntGaugeVec,
}

/// Shows how far behind the service's consumers are, until shutdown.
///
/// # Errors
/// [`StartError`] when its metrics are declared already.
pub fn watch(process: &Process, consumers: &[ConsumerSpec]) -> Result<(), StartError> {
    let lag = Lag::new(process.bus.clone(), consumers.to_vec(), &process.metrics)?;
    process.tasks.endless("lag", lag.run());
    Ok(())
}

impl Lag {
    /// Declares what is shown. A consumer's series are born with the first answer: zero would be a claim.
    ///
    /// # Errors
    /// [`MetricError`] when it is declared already.
    pub fn new(bus: Bus, consumers: Vec<ConsumerSpec>, metrics: &Metrics) -> Result<Self, MetricError> {
        Ok(Self {
            bus,
            consumers,
            pending: metrics.gauges(
                "consumer_pending_messages",
                "Messages that the consumer has not handed out yet.",
                &LABELS,
            )?,
            ack_pending: metrics.gauges(
                "consumer_ack_pending_messages",
                "Messages that were handed out and are not settled: in work, or waiting to be tried again.",
                &LABELS,
            )?,
            redelivered: metrics.gauges(
                "consumer_redelivered_messages",
                "Messages that were handed out more than once and are not settled.",
                &LABELS,
            )?,
            oldest: metrics.gauges(
                "consumer_oldest_pending_timestamp_seconds",
                "When the oldest message that is not settled was stored; 0 when there is none.",
                &LABELS,
            )?,
        })
    }

    async fn run(self) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for consumer in &self.consumers {
                if let Err(error) = self.look(consumer).await {
                    // What was shown last stays. That the broker is away is told where it is lost.
                    tracing::debug!(%error, stream = consumer.stream, "the consumer's lag cannot be seen");
                }
            }
        }
    }

    /// Asks how far behind a consumer is, and shows it.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses; what was shown before stays.
    pub async fn look(&self, consumer: &ConsumerSpec) -> Result<(), BusError> {
        let bus::Lag { state, oldest } = self.bus.lag(consumer).await?;
        let labels = [consumer.stream, consumer.name];
        let show = |gauge: &IntGaugeVec, value| gauge.with_label_values(&labels).set(value);
        show(&self.pending, amount(state.pending));
        show(&self.ack_pending, amount(state.ack_pending));
        show(&self.redelivered, amount(state.redelivered));
        show(&self.oldest, timestamp(oldest));
        Ok(())
    }
}
