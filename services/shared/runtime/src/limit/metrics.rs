//! What the rates cost at the broker.

use prometheus::IntCounterVec;

use crate::metrics::{MetricError, Metrics};

/// A request to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// A lease was taken.
    Write,
    /// Another replica was quicker.
    Conflict,
    /// The record was read.
    Read,
    /// The broker's clock was asked for.
    Clock,
    /// The broker did not answer; calls wait.
    Failure,
}

impl Operation {
    const ALL: [Self; 5] = [
        Self::Write,
        Self::Conflict,
        Self::Read,
        Self::Clock,
        Self::Failure,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Conflict => "conflict",
            Self::Read => "read",
            Self::Clock => "clock",
            Self::Failure => "failure",
        }
    }
}

/// Counts the requests.
#[derive(Clone)]
pub(super) struct LimitMetrics {
    operations: IntCounterVec,
}

impl LimitMetrics {
    pub(super) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let operations = metrics.counters(
            "rate_limit_operations_total",
            "Requests to the broker for rates of the whole cluster, by kind.",
            &["operation"],
        )?;
        for operation in Operation::ALL {
            operations.with_label_values(&[operation.as_str()]);
        }
        Ok(Self { operations })
    }

    pub(super) fn count(&self, operation: Operation) {
        self.operations.with_label_values(&[operation.as_str()]).inc();
    }
}
