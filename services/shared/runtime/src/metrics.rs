//! Metrics: one registry per service, and what every stage counts.

mod labels;
mod outcomes;
pub(crate) mod process;

use std::collections::HashMap;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use proto_schemas::ids::UnixMillis;

pub use labels::{Labels, OTHER};
pub use outcomes::{DeadLettersPublished, LastSuccess};

use crate::stage::Outcome;

/// Bounds of a stage's handling time, in seconds.
const DURATION_BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Bounds of a message's age, in seconds. Objectives are set at 10, 30, 60 and 120.
const AGE_BOUNDS: [f64; 13] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0,
];

/// The metrics of one service. Names start with `chatbot_`; every series carries `service`.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
}

/// Why a metric cannot be declared: its name or labels are not allowed, or it is declared twice.
#[derive(Debug, thiserror::Error)]
#[error("a metric cannot be declared: {0}")]
pub struct MetricError(#[from] prometheus::Error);

impl Metrics {
    /// Metrics of a service.
    ///
    /// # Errors
    /// [`MetricError`] when the service's name is no label value.
    pub fn new(service: &str) -> Result<Self, MetricError> {
        let labels = HashMap::from([("service".to_owned(), service.to_owned())]);
        Ok(Self {
            registry: Registry::new_custom(Some("chatbot".to_owned()), Some(labels))?,
        })
    }

    /// Declares a counter with labels. Its series are born by the caller, at zero.
    ///
    /// # Errors
    /// [`MetricError`] when it is declared twice.
    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, MetricError> {
        let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(counters.clone()))?;
        Ok(counters)
    }

    /// Declares a gauge.
    ///
    /// # Errors
    /// [`MetricError`] when it is declared twice.
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, MetricError> {
        let gauge = IntGauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    /// Declares a gauge with labels.
    ///
    /// # Errors
    /// [`MetricError`] when it is declared twice.
    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<IntGaugeVec, MetricError> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
        self.registry.register(Box::new(gauges.clone()))?;
        Ok(gauges)
    }

    /// Declares a histogram with labels.
    ///
    /// # Errors
    /// [`MetricError`] when it is declared twice.
    pub fn histograms(
        &self,
        name: &str,
        help: &str,
        bounds: &[f64],
        labels: &[&str],
    ) -> Result<HistogramVec, MetricError> {
        let histograms = HistogramVec::new(HistogramOpts::new(name, help).buckets(bounds.to_vec()), labels)?;
        self.registry.register(Box::new(histograms.clone()))?;
        Ok(histograms)
    }

    /// Declares metrics that are asked for their values at each scrape.
    ///
    /// # Errors
    /// [`MetricError`] when one is declared twice.
    pub(crate) fn collect(&self, collector: impl Collector + 'static) -> Result<(), MetricError> {
        Ok(self.registry.register(Box::new(collector))?)
    }

    /// The text that a scrape returns (format 0.0.4).
    ///
    /// # Errors
    /// [`MetricError`] when a metric cannot be written.
    pub fn render(&self) -> Result<String, MetricError> {
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }
}

/// A moment as a metric shows it, in whole seconds since 1970; 0 for none.
pub fn timestamp(at: Option<UnixMillis>) -> i64 {
    at.map_or(0, |at| i64::try_from(at.0 / 1000).unwrap_or(i64::MAX))
}

/// A count as a gauge shows it.
pub fn amount(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// What is counted of messages that stay in their slots although they are settled.
#[derive(Clone)]
pub struct LeftoverMetrics {
    removed: IntCounter,
    unexplained: IntGauge,
}

impl LeftoverMetrics {
    /// Declares them.
    ///
    /// # Errors
    /// [`MetricError`] when they are declared twice.
    pub fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let none: [&str; 0] = [];
        Ok(Self {
            removed: metrics
                .counters(
                    "leftovers_removed_total",
                    "Settled messages that the broker had kept, removed to free their slots.",
                    &none,
                )?
                .with_label_values(&none),
            unexplained: metrics.gauge(
                "unexplained_messages",
                "Messages in the stage's stream that its consumer does not know of and that are not settled.",
            )?,
        })
    }

    pub(crate) fn removed(&self, messages: u64) {
        self.removed.inc_by(messages);
    }

    pub(crate) fn unexplained(&self, messages: u64) {
        self.unexplained.set(amount(messages));
    }
}

/// What the runner counts for a stage.
#[derive(Clone)]
pub struct StageMetrics {
    processed: IntCounterVec,
    dead_letters: DeadLettersPublished,
    last_success: LastSuccess,
    duration: Histogram,
    done: Histogram,
    given_up: Histogram,
    pub(crate) in_flight: IntGauge,
}

impl StageMetrics {
    /// Declares them.
    ///
    /// # Errors
    /// [`MetricError`] when they are declared twice.
    pub fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let processed = metrics.counters(
            "messages_processed_total",
            "Messages that the stage settled, by outcome.",
            &["outcome"],
        )?;
        for outcome in Outcome::NAMES {
            processed.with_label_values(&[outcome]);
        }
        let none: [&str; 0] = [];
        let age = metrics.histograms(
            "pipeline_age_seconds",
            "Time from ingress accepting a message to this stage being done with it for good: once for each message, \
             whatever its retries and repetitions.",
            &AGE_BOUNDS,
            &["outcome"],
        )?;
        Ok(Self {
            processed,
            dead_letters: DeadLettersPublished::new(metrics)?.expect(["undecodable", "oversize"]),
            last_success: LastSuccess::new(metrics)?,
            duration: metrics
                .histograms(
                    "stage_duration_seconds",
                    "How long the stage handled a message.",
                    &DURATION_BOUNDS,
                    &none,
                )?
                .with_label_values(&none),
            done: age.with_label_values(&["done"]),
            given_up: age.with_label_values(&["dead_letter"]),
            in_flight: metrics.gauge("in_flight_messages", "Messages that the stage is handling.")?,
        })
    }

    /// Has the series of these classes of dead letters begin at zero.
    pub fn expect(mut self, classes: impl IntoIterator<Item = &'static str>) -> Self {
        self.dead_letters = self.dead_letters.expect(classes);
        self
    }

    pub(crate) fn settled(
        &self,
        outcome: &Outcome,
        took: std::time::Duration,
        age: Option<std::time::Duration>,
    ) {
        self.processed.with_label_values(&[outcome.name()]).inc();
        self.duration.observe(took.as_secs_f64());
        let ages = match outcome {
            Outcome::Done => Some(&self.done),
            Outcome::GiveUp(_) => Some(&self.given_up),
            // It is counted when it ends, or was when it ended.
            Outcome::Retry { .. } | Outcome::Duplicate | Outcome::Fatal(_) => None,
        };
        if let (Some(ages), Some(age)) = (ages, age) {
            ages.observe(age.as_secs_f64());
        }
        if matches!(outcome, Outcome::Done | Outcome::Duplicate) {
            self.last_success.is_now();
        }
    }

    pub(crate) fn buried(&self, class: &str) {
        self.dead_letters.count(class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_objective_for_the_age_has_a_bound() {
        for objective in [10.0, 30.0, 60.0, 120.0] {
            assert!(AGE_BOUNDS.contains(&objective), "{objective}");
        }
    }

    #[test]
    fn nothing_counts_as_never_and_moments_are_whole_seconds() {
        assert_eq!(timestamp(None), 0);
        assert_eq!(timestamp(Some(UnixMillis(1_999))), 1);
    }
}
