//! What the service counts besides what every stage counts.

use std::time::Duration;

use outbound::CallFailure;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};
use runtime::metrics::{MetricError, Metrics};

use crate::error::CLASSES;

/// Bounds of a call's duration, in seconds: one at every usual timeout, and one past the longest.
const CALL_BOUNDS: [f64; 14] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0,
];
/// Bounds of a wait for a limit, in seconds.
const WAIT_BOUNDS: [f64; 8] = [0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// What the rates cost at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LimitOperation {
    /// A lease was taken.
    Write,
    /// Another replica was quicker.
    Conflict,
    /// The record was read.
    Read,
    /// The broker's clock was asked for.
    Clock,
}

impl LimitOperation {
    const ALL: [Self; 4] = [Self::Write, Self::Conflict, Self::Read, Self::Clock];

    fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Conflict => "conflict",
            Self::Read => "read",
            Self::Clock => "clock",
        }
    }
}

/// Calls, waits and late answers.
pub(crate) struct CallerMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
    waited: Histogram,
    limit_operations: IntCounterVec,
    late: IntCounter,
    retries: IntCounter,
}

impl CallerMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let requests = metrics.counters(
            "webhook_requests_total",
            "Calls of webhooks, by result.",
            &["result"],
        )?;
        let network = CallFailure::ALL.iter().map(|failure| failure.as_str());
        for result in network.chain(CLASSES).chain(["ok"]) {
            requests.with_label_values(&[result]);
        }
        let limit_operations = metrics.counters(
            "rate_limit_operations_total",
            "Requests to the broker for the rates of integrations, by kind.",
            &["operation"],
        )?;
        for operation in LimitOperation::ALL {
            limit_operations.with_label_values(&[operation.as_str()]);
        }
        let none: [&str; 0] = [];
        let counter = |name, help| {
            metrics
                .counters(name, help, &none)
                .map(|counters| counters.with_label_values(&none))
        };
        Ok(Self {
            requests,
            duration: metrics.histograms(
                "webhook_duration_seconds",
                "How long calls of webhooks took, by outcome.",
                &CALL_BOUNDS,
                &["outcome"],
            )?,
            waited: metrics
                .histograms(
                    "rate_limiter_wait_seconds",
                    "How long calls waited for their integration's limits.",
                    &WAIT_BOUNDS,
                    &none,
                )?
                .with_label_values(&none),
            limit_operations,
            late: counter(
                "late_answers_total",
                "Answers dropped because their turn was finished or its context had moved on.",
            )?,
            retries: counter("webhook_retries_total", "Calls that will be made again.")?,
        })
    }

    pub(crate) fn called(&self, class: Option<&str>, took: Duration) {
        self.requests.with_label_values(&[class.unwrap_or("ok")]).inc();
        let outcome = if class.is_some() { "error" } else { "ok" };
        self.duration
            .with_label_values(&[outcome])
            .observe(took.as_secs_f64());
    }

    pub(crate) fn waited(&self, wait: Duration) {
        self.waited.observe(wait.as_secs_f64());
    }

    pub(crate) fn limit_operation(&self, operation: LimitOperation) {
        self.limit_operations
            .with_label_values(&[operation.as_str()])
            .inc();
    }

    pub(crate) fn dropped_late_answer(&self) {
        self.late.inc();
    }

    pub(crate) fn will_retry(&self) {
        self.retries.inc();
    }
}
