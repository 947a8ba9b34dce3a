//! What the service counts besides what every stage counts.

use std::time::Duration;

use channels::SendError;
use prometheus::{Histogram, IntCounterVec};
use proto_schemas::content::ChannelKind;
use runtime::metrics::{MetricError, Metrics};

/// Bounds of a send's duration, in seconds.
const SEND_BOUNDS: [f64; 10] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0, 120.0];

/// Sends.
pub(crate) struct EgressMetrics {
    sends: IntCounterVec,
    typing: IntCounterVec,
    duration: Histogram,
}

impl EgressMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let sends = metrics.counters(
            "egress_sends_total",
            "Parts that were sent, by channel and result.",
            &["channel", "result"],
        )?;
        let typing = metrics.counters(
            "egress_typing_total",
            "How often a chat was shown that the bot works on an answer, by channel and result.",
            &["channel", "result"],
        )?;
        for channel in ChannelKind::ALL {
            for result in ["sent", "rate_limited", "transient", "permanent"] {
                sends.with_label_values(&[channel.as_str(), result]);
                typing.with_label_values(&[channel.as_str(), result]);
            }
        }
        let none: [&str; 0] = [];
        let duration = metrics
            .histograms(
                "egress_duration_seconds",
                "How long sending a part took.",
                &SEND_BOUNDS,
                &none,
            )?
            .with_label_values(&none);
        Ok(Self {
            sends,
            typing,
            duration,
        })
    }

    pub(crate) fn sent(&self, channel: ChannelKind, error: Option<&SendError>, took: Duration) {
        self.sends
            .with_label_values(&[channel.as_str(), result(error)])
            .inc();
        self.duration.observe(took.as_secs_f64());
    }

    pub(crate) fn typed(&self, channel: ChannelKind, error: Option<&SendError>) {
        self.typing
            .with_label_values(&[channel.as_str(), result(error)])
            .inc();
    }
}

fn result(error: Option<&SendError>) -> &'static str {
    match error {
        None => "sent",
        Some(SendError::RateLimited { .. }) => "rate_limited",
        Some(SendError::Transient { .. }) => "transient",
        Some(SendError::Permanent { .. }) => "permanent",
    }
}
