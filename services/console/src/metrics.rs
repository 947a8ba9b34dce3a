//! What the service counts.

use std::time::Duration;

use prometheus::{Histogram, IntCounterVec};
use runtime::metrics::{MetricError, Metrics};

use crate::pages::{Page, SIGN_IN};
use crate::problem::Problem;
use crate::route::Route;

/// Bounds of the time to an answer, in seconds: a test takes as long as its webhook.
const BOUNDS: [f64; 10] = [0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 120.0];
/// The label of a request that was no problem.
const OK: &str = "ok";
/// The labels of an operator's request.
const OUTCOMES: [&str; 2] = ["done", "refused"];

/// Requests, how long they took, and what operators did.
pub(crate) struct ConsoleMetrics {
    requests: IntCounterVec,
    changes: IntCounterVec,
    duration: Histogram,
}

impl ConsoleMetrics {
    pub(crate) fn new(metrics: &Metrics, routes: &[Route], pages: &[Page]) -> Result<Self, MetricError> {
        let requests = metrics.counters(
            "console_requests_total",
            "Requests of the admin API and of the pages, by how they ended.",
            &["result"],
        )?;
        let problems = Problem::CODES.iter().map(|(code, _)| *code);
        for result in [OK].into_iter().chain(problems) {
            requests.with_label_values(&[result]);
        }
        let changes = metrics.counters(
            "console_operator_requests_total",
            "Requests that are for operators, over the API or a form: changes and tests. The log's target `audit` has each.",
            &["action", "outcome"],
        )?;
        let routes = routes.iter().filter(|route| route.is_audited());
        let forms = pages.iter().filter_map(|page| page.action).chain([SIGN_IN]);
        for action in routes.map(|route| route.name.as_str()).chain(forms) {
            for outcome in OUTCOMES {
                changes.with_label_values(&[action, outcome]);
            }
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
            changes,
            duration: duration.with_label_values(&none),
        })
    }

    /// Counts a request; without a problem it went well.
    pub(crate) fn answered(&self, problem: Option<&Problem>, took: Duration) {
        let result = problem.map_or(OK, |problem| problem.verdict().code);
        self.requests.with_label_values(&[result]).inc();
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts what an operator asked for.
    pub(crate) fn changed(&self, action: &str, done: bool) {
        let [ok, refused] = OUTCOMES;
        let outcome = if done { ok } else { refused };
        self.changes.with_label_values(&[action, outcome]).inc();
    }
}
