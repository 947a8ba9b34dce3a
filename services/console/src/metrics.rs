//! What the service counts.

use std::time::Duration;

use prometheus::{Histogram, IntCounterVec};
use runtime::metrics::{MetricError, Metrics};

use crate::problem::Problem;

/// Bounds of the time to an answer, in seconds: a test takes as long as its webhook.
const BOUNDS: [f64; 10] = [0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0];
/// The label of a request that was no problem.
const OK: &str = "ok";

/// Requests, and how long they took.
pub(crate) struct ConsoleMetrics {
    requests: IntCounterVec,
    duration: Histogram,
}

impl ConsoleMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let requests = metrics.counters(
            "console_requests_total",
            "Requests of the admin API, by how they ended.",
            &["result"],
        )?;
        for result in [OK].iter().chain(&Problem::CODES) {
            requests.with_label_values(&[result]);
        }
        let none: [&str; 0] = [];
        let duration = metrics.histograms(
            "console_request_duration_seconds",
            "Time from a request's headers to its answer, whatever the answer.",
            &BOUNDS,
            &none,
        )?;
        Ok(Self {
            requests,
            duration: duration.with_label_values(&none),
        })
    }

    /// Counts a request; without a problem it went well.
    pub(crate) fn answered(&self, problem: Option<&Problem>, took: Duration) {
        let result = problem.map_or(OK, |problem| problem.verdict().code);
        self.requests.with_label_values(&[result]).inc();
        self.duration.observe(took.as_secs_f64());
    }
}
