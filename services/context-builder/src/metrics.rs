//! What the service counts besides what every stage counts.

use prometheus::IntCounterVec;
use runtime::metrics::{MetricError, Metrics};

/// Decisions and the slots' answers.
pub(crate) struct BuilderMetrics {
    decisions: IntCounterVec,
    slots: IntCounterVec,
    stale_reads: IntCounterVec,
}

impl BuilderMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let decisions = metrics.counters("decisions_total", "Decisions, by what was due.", &["decision"])?;
        for decision in ["idle", "fetch", "wait", "call"] {
            decisions.with_label_values(&[decision]);
        }
        let slots = metrics.counters(
            "turn_slots_total",
            "Turns offered to their conversation's slot, by its answer.",
            &["answer"],
        )?;
        for answer in ["accepted", "duplicate", "taken"] {
            slots.with_label_values(&[answer]);
        }
        let none: [&str; 0] = [];
        let stale_reads = metrics.counters(
            "stale_reads_total",
            "Reads that did not include the event that triggered them, and were made again.",
            &none,
        )?;
        stale_reads.with_label_values(&none);
        Ok(Self {
            decisions,
            slots,
            stale_reads,
        })
    }

    pub(crate) fn decided(&self, decision: &str) {
        self.decisions.with_label_values(&[decision]).inc();
    }

    pub(crate) fn offered(&self, answer: &str) {
        self.slots.with_label_values(&[answer]).inc();
    }

    pub(crate) fn read_stale(&self) {
        let none: [&str; 0] = [];
        self.stale_reads.with_label_values(&none).inc();
    }
}
