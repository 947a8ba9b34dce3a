//! How work ends, of stages and of ingress, which has no stage.

use prometheus::{IntCounterVec, IntGauge};

use super::{MetricError, Metrics, timestamp};
use crate::clock;

/// Counts dead letters.
#[derive(Clone)]
pub struct DeadLettersPublished(IntCounterVec);

impl DeadLettersPublished {
    /// Declares it.
    ///
    /// # Errors
    /// [`MetricError`] when it is declared twice.
    pub fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let counters = metrics.counters(
            "dead_letters_published_total",
            "Messages that the service gave up, by class of the cause.",
            &["class"],
        )?;
        Ok(Self(counters))
    }

    /// Has the series of these classes begin at zero.
    pub fn expect(self, classes: impl IntoIterator<Item = &'static str>) -> Self {
        for class in classes {
            self.0.with_label_values(&[class]);
        }
        self
    }

    /// Counts one of a class, which is a token of the code and so of a small set.
    pub fn count(&self, class: &str) {
        self.0.with_label_values(&[class]).inc();
    }
}

/// Shows that work gets done.
#[derive(Clone)]
pub struct LastSuccess(IntGauge);

impl LastSuccess {
    /// Declares it.
    ///
    /// # Errors
    /// [`MetricError`] when it is declared twice.
    pub fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let gauge = metrics.gauge(
            "last_success_timestamp_seconds",
            "When this process was done with a message last; 0 before the first.",
        )?;
        Ok(Self(gauge))
    }

    /// A message is done with.
    pub fn is_now(&self) {
        self.0.set(timestamp(Some(clock::now())));
    }
}
