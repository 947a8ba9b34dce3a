//! What the service counts besides what every stage counts.

use prometheus::IntCounterVec;
use runtime::metrics::{MetricError, Metrics};

/// Which way a file goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a user.
    In,
    /// From a webhook.
    Out,
}

impl Direction {
    const ALL: [Self; 2] = [Self::In, Self::Out];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// How one try to bring a file in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchResult {
    /// It is in the object store now.
    Stored,
    /// An earlier delivery of the same fetch had stored it.
    Reused,
    /// It cannot be had.
    Unavailable,
    /// It is tried again later.
    Retried,
}

impl FetchResult {
    const ALL: [Self; 4] = [Self::Stored, Self::Reused, Self::Unavailable, Self::Retried];

    fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Reused => "reused",
            Self::Unavailable => "unavailable",
            Self::Retried => "retried",
        }
    }
}

/// How a request for a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServeResult {
    /// It was served.
    Served,
    /// The link is not ours.
    BadSignature,
    /// The link's time is over.
    Expired,
    /// The file is gone.
    Missing,
    /// The broker is away, or we have too much to do.
    Unavailable,
}

impl ServeResult {
    const ALL: [Self; 5] = [
        Self::Served,
        Self::BadSignature,
        Self::Expired,
        Self::Missing,
        Self::Unavailable,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::Missing => "missing",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Files fetched and served.
#[derive(Clone)]
pub(crate) struct FetchMetrics {
    fetched: IntCounterVec,
    bytes: IntCounterVec,
    served: IntCounterVec,
}

impl FetchMetrics {
    pub(crate) fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        let fetched = metrics.counters(
            "files_fetched_total",
            "Tries to bring a file into the object store, by how they ended.",
            &["direction", "result"],
        )?;
        let bytes = metrics.counters(
            "attachment_bytes_total",
            "Bytes of files that were brought into the object store.",
            &["direction"],
        )?;
        let served = metrics.counters(
            "files_served_total",
            "Requests for files, by how they ended.",
            &["result"],
        )?;
        for direction in Direction::ALL.map(Direction::as_str) {
            bytes.with_label_values(&[direction]);
            for result in FetchResult::ALL {
                fetched.with_label_values(&[direction, result.as_str()]);
            }
        }
        for result in ServeResult::ALL {
            served.with_label_values(&[result.as_str()]);
        }
        Ok(Self {
            fetched,
            bytes,
            served,
        })
    }

    pub(crate) fn fetched(&self, direction: Direction, result: FetchResult) {
        self.fetched
            .with_label_values(&[direction.as_str(), result.as_str()])
            .inc();
    }

    pub(crate) fn stored(&self, direction: Direction, bytes: u64) {
        self.fetched(direction, FetchResult::Stored);
        self.bytes.with_label_values(&[direction.as_str()]).inc_by(bytes);
    }

    pub(crate) fn served(&self, result: ServeResult) {
        self.served.with_label_values(&[result.as_str()]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_is_born_at_zero() {
        let metrics = Metrics::new("attachment-fetcher").unwrap();
        FetchMetrics::new(&metrics).unwrap();
        let text = metrics.render().unwrap();
        let series: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(series.len(), 8 + 2 + 5, "{text}");
        assert!(series.iter().all(|line| line.ends_with(" 0")), "{text}");
    }
}
