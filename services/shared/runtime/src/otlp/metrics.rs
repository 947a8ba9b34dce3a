//! What becomes of spans.

use prometheus::IntCounter;

use crate::metrics::{MetricError, Metrics};

/// What becomes of spans.
#[derive(Clone)]
pub(super) struct SpanMetrics {
    exported: IntCounter,
    no_room: IntCounter,
    not_taken: IntCounter,
}

impl SpanMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let spans = metrics.counters(
            "trace_spans_total",
            "Spans for the collector: exported, dropped because too many waited (`no_room`), or not taken by it.",
            &["result"],
        )?;
        Ok(Self {
            exported: spans.with_label_values(&["exported"]),
            no_room: spans.with_label_values(&["no_room"]),
            not_taken: spans.with_label_values(&["not_taken"]),
        })
    }

    pub(super) fn found_no_room(&self) {
        self.no_room.inc();
    }

    /// What became of a batch.
    pub(super) fn sent(&self, spans: u64, not_taken: u64) {
        self.exported.inc_by(spans.saturating_sub(not_taken));
        self.not_taken.inc_by(not_taken.min(spans));
    }
}
