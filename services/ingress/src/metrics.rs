//! What the service counts. It has no consumer, so no stage counts for it.

use std::time::Duration;

use prometheus::{HistogramVec, IntCounterVec};
use proto_schemas::content::ChannelKind;
use runtime::metrics::{DeadLettersPublished, LastSuccess, MetricError, Metrics};

use crate::error::{BACKLOG_FULL, BODY_TOO_LARGE, NOT_UNDERSTOOD};

/// Bounds of the time to an answer, in seconds; a confirmed publish takes a few milliseconds.
const ACCEPT_BOUNDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestResult {
    Accepted,
    Duplicate,
    Handshake,
    Ignored,
    Unauthorized,
    UnknownConnection,
    BadBody,
    TooLarge,
    RateLimited,
    Unavailable,
    NotUnderstood,
}

impl RequestResult {
    pub(crate) const ALL: [Self; 11] = [
        Self::Accepted,
        Self::Duplicate,
        Self::Handshake,
        Self::Ignored,
        Self::Unauthorized,
        Self::UnknownConnection,
        Self::BadBody,
        Self::TooLarge,
        Self::RateLimited,
        Self::Unavailable,
        Self::NotUnderstood,
    ];

    /// The label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Handshake => "handshake",
            Self::Ignored => "ignored",
            Self::Unauthorized => "unauthorized",
            Self::UnknownConnection => "unknown_connection",
            Self::BadBody => "bad_body",
            Self::TooLarge => "too_large",
            Self::RateLimited => "rate_limited",
            Self::Unavailable => "unavailable",
            Self::NotUnderstood => "not_understood",
        }
    }
}

/// Requests and how long they took.
pub(crate) struct IngressMetrics {
    requests: IntCounterVec,
    duration: HistogramVec,
}

/// What becomes of messages, however they came.
pub(crate) struct IntakeMetrics {
    pub(crate) last_success: LastSuccess,
    pub(crate) buried: DeadLettersPublished,
}

impl IngressMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let requests = metrics.counters(
            "requests_total",
            "Pushes of the platforms, by channel and how they ended.",
            &["channel", "result"],
        )?;
        let duration = metrics.histograms(
            "accept_duration_seconds",
            "Time from a push's headers to its answer, whatever the answer.",
            &ACCEPT_BOUNDS,
            &["channel"],
        )?;
        for channel in ChannelKind::ALL.map(ChannelKind::as_str) {
            duration.with_label_values(&[channel]);
            for result in RequestResult::ALL {
                requests.with_label_values(&[channel, result.as_str()]);
            }
        }
        Ok(Self { requests, duration })
    }

    pub(crate) fn answered(&self, channel: ChannelKind, result: RequestResult, took: Duration) {
        self.requests
            .with_label_values(&[channel.as_str(), result.as_str()])
            .inc();
        self.duration
            .with_label_values(&[channel.as_str()])
            .observe(took.as_secs_f64());
    }
}

impl IntakeMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let buried = DeadLettersPublished::new(metrics)?;
        Ok(Self {
            last_success: LastSuccess::new(metrics)?,
            // Of what a Gateway tells the refusals that no operator or sender can mend in time.
            buried: buried.expect([NOT_UNDERSTOOD, BODY_TOO_LARGE, BACKLOG_FULL]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_born_at_zero() {
        let metrics = Metrics::new("ingress").unwrap();
        IngressMetrics::new(&metrics).unwrap();
        let text = metrics.render().unwrap();
        let counters = text
            .lines()
            .filter(|line| line.starts_with("chatbot_requests_total{"));
        assert_eq!(
            counters.clone().count(),
            ChannelKind::ALL.len() * RequestResult::ALL.len()
        );
        assert!(counters.into_iter().all(|line| line.ends_with(" 0")), "{text}");
        assert!(
            text.contains("chatbot_accept_duration_seconds_count{channel=\"http\",service=\"ingress\"} 0")
        );
    }
}
