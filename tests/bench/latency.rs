//! Percentiles of latencies.

use std::time::Duration;

use serde::Serialize;

/// Milliseconds; each the smallest value that so many lie at or below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Latency {
    /// All zero when there are none.
    pub(crate) fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let at = |share: f64| {
            let rank = (latencies.len() as f64 * share).ceil() as usize;
            let found = latencies.get(rank.saturating_sub(1));
            found.map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
        };
        Self {
            p50: at(0.50),
            p90: at(0.90),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}
