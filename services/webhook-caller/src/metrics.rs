//! What the service counts besides what every stage counts.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use proto_schemas::ids::IntegrationId;
use runtime::metrics::{Labels, MetricError, Metrics, OTHER};

use crate::error::classes;

/// Bounds of a call's duration, in seconds: one at every usual timeout, and one past the longest.
const CALL_BOUNDS: [f64; 14] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0,
];
/// Bounds of a wait for a limit, in seconds.
const WAIT_BOUNDS: [f64; 8] = [0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];
/// The result of a call that went well.
const OK: &str = "ok";
/// The outcome of one that did not.
const ERROR: &str = "error";
/// States of a circuit breaker, as `proto_schemas::limits::Circuit` names them.
const CIRCUITS: [&str; 4] = ["closed", "open", "half_open", "gone"];

/// Calls, waits and late answers.
pub(crate) struct CallerMetrics {
    labels: Labels<IntegrationId>,
    requests: IntCounterVec,
    retries: IntCounterVec,
    in_flight: IntGaugeVec,
    circuits: IntGaugeVec,
    duration: HistogramVec,
    waited: Histogram,
    late: IntCounter,
}

/// What is counted of one integration, at hand where its calls are made.
pub(crate) struct IntegrationMetrics {
    metrics: Arc<CallerMetrics>,
    integration: IntegrationId,
    has_its_own: bool,
    ok: IntCounter,
    in_flight: IntGauge,
}

impl CallerMetrics {
    /// Declares them. Without `by_integration` the series of all integrations are one.
    pub(crate) fn new(metrics: &Metrics, by_integration: bool) -> Result<Self, MetricError> {
        let none: [&str; 0] = [];
        let duration = metrics.histograms(
            "webhook_duration_seconds",
            "How long calls of webhooks took, by outcome.",
            &CALL_BOUNDS,
            &["outcome"],
        )?;
        for outcome in [OK, ERROR] {
            duration.with_label_values(&[outcome]);
        }
        Ok(Self {
            labels: Labels::new(by_integration),
            requests: metrics.counters(
                "webhook_requests_total",
                "Calls of webhooks, and refusals to make one, by result.",
                &["integration", "result"],
            )?,
            retries: metrics.counters(
                "webhook_retries_total",
                "Calls that will be made again.",
                &["integration"],
            )?,
            in_flight: metrics.gauges(
                "webhook_calls_in_flight",
                "Calls of webhooks that wait for their answer.",
                &["integration"],
            )?,
            circuits: metrics.gauges(
                "circuit_state",
                "1 for the state in which an integration's circuit breaker is.",
                &["integration", "state"],
            )?,
            duration,
            waited: metrics
                .histograms(
                    "rate_limiter_wait_seconds",
                    "How long calls waited for their integration's limits.",
                    &WAIT_BOUNDS,
                    &none,
                )?
                .with_label_values(&none),
            late: metrics
                .counters(
                    "late_answers_total",
                    "Answers dropped because their turn was finished or its context had moved on.",
                    &none,
                )?
                .with_label_values(&none),
        })
    }

    /// What is counted of an integration. Its usual series are born at zero; a failure's with the first.
    pub(crate) fn of(self: &Arc<Self>, integration: &IntegrationId) -> IntegrationMetrics {
        let label = self.labels.of(integration);
        self.retries.with_label_values(&[label]);
        IntegrationMetrics {
            metrics: Arc::clone(self),
            integration: integration.clone(),
            has_its_own: label != OTHER,
            ok: self.requests.with_label_values(&[label, OK]),
            in_flight: self.in_flight.with_label_values(&[label]),
        }
    }

    /// How an integration's circuit breaker stands. Not shown where several integrations share a series.
    pub(crate) fn circuit(&self, integration: &IntegrationId, state: &str) {
        if !self.labels.has_its_own(integration) {
            return;
        }
        for known in CIRCUITS {
            let gauge = self.circuits.with_label_values(&[integration.as_str(), known]);
            gauge.set((known == state).into());
        }
    }

    /// Removes the series of integrations that are not there any more.
    pub(crate) fn keep_integrations(&self, is_there: impl Fn(&IntegrationId) -> bool) {
        for gone in self.labels.keep(is_there) {
            let gone = gone.as_str();
            for result in classes().chain([OK]) {
                // An error says that there is no such series.
                let _absent = self.requests.remove_label_values(&[gone, result]);
            }
            let _absent = self.retries.remove_label_values(&[gone]);
            let _absent = self.in_flight.remove_label_values(&[gone]);
            for state in CIRCUITS {
                let _absent = self.circuits.remove_label_values(&[gone, state]);
            }
        }
    }

    pub(crate) fn dropped_late_answer(&self) {
        self.late.inc();
    }

    pub(crate) fn will_retry(&self, integration: &IntegrationId) {
        let label = self.labels.of(integration);
        self.retries.with_label_values(&[label]).inc();
    }
}

impl IntegrationMetrics {
    /// A call has begun. It ends with [`called`](Self::called).
    pub(crate) fn calls(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn called(&self, class: Option<&str>, took: Duration) {
        self.in_flight.dec();
        match class {
            None => self.ok.inc(),
            Some(class) => self.refused(class),
        }
        let outcome = if class.is_some() { ERROR } else { OK };
        self.metrics
            .duration
            .with_label_values(&[outcome])
            .observe(took.as_secs_f64());
    }

    /// No call was made, for this reason.
    pub(crate) fn refused(&self, class: &str) {
        // Asked anew: of an integration that is removed meanwhile a series must be known, to be removed as well.
        let label = if self.has_its_own {
            self.metrics.labels.of(&self.integration)
        } else {
            OTHER
        };
        self.metrics.requests.with_label_values(&[label, class]).inc();
    }

    pub(crate) fn waited(&self, wait: Duration) {
        self.metrics.waited.observe(wait.as_secs_f64());
    }
}

#[cfg(test)]
mod tests;
