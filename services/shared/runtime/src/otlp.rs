//! Export of spans to an OpenTelemetry collector, by OTLP over HTTP. Off unless a collector is named.
//!
//! It never holds work up: a span finds room in a bounded queue or is dropped and counted, and a batch that the collector
//! does not take is dropped and counted, not sent again.

mod config;
mod encode;
mod metrics;
mod sender;

use std::time::Duration;

use bus::{FinishedSpan, SpanSink, Spans};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::config::OtlpConfig;
use self::metrics::SpanMetrics;
use self::sender::Sender;
use crate::StartError;
use crate::metrics::Metrics;
use crate::task::Tasks;

/// How many spans may wait: some hundred messages' worth, a few MiB.
const QUEUE: usize = 8192;
/// How long the last spans may take at the end of a process, within what its drain has left.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// The export of one service.
pub(crate) struct Export {
    spans: Spans,
    sending: Option<Sending>,
}

struct Sending {
    task: JoinHandle<()>,
    closing: CancellationToken,
}

/// Takes spans into the queue, while there is room.
struct Queue {
    sender: mpsc::Sender<FinishedSpan>,
    metrics: SpanMetrics,
}

impl SpanSink for Queue {
    fn take(&self, span: FinishedSpan) {
        if self.sender.try_send(span).is_err() {
            self.metrics.found_no_room();
        }
    }
}

impl Export {
    /// Starts to export the spans of a service, if a collector is configured.
    ///
    /// # Errors
    /// [`StartError`] when the certificates cannot be read or there can be no client.
    pub(crate) fn start(config: &OtlpConfig, service: &str, metrics: &Metrics) -> Result<Self, StartError> {
        let metrics = SpanMetrics::new(metrics)?;
        let Some(collector) = config.collector()? else {
            return Ok(Self {
                spans: Spans::default(),
                sending: None,
            });
        };
        let (sender, queue) = mpsc::channel(QUEUE);
        let closing = CancellationToken::new();
        // Apart from the service's tasks: it ends after them, to tell of their last work.
        let (tasks, _deaths) = Tasks::new(closing.clone());
        let exporter = Sender::new(collector, encode::resource(service), metrics.clone());
        let task = tasks.owned(exporter.run(queue, closing.clone()));
        Ok(Self {
            spans: Spans::to(Queue { sender, metrics }, config.share()),
            sending: Some(Sending { task, closing }),
        })
    }

    /// Where spans go.
    pub(crate) fn spans(&self) -> Spans {
        self.spans.clone()
    }

    /// Sends what waits, for as long as there is time.
    pub(crate) async fn finish(self, time_left: Duration) {
        let Some(Sending { task, closing }) = self.sending else {
            return;
        };
        closing.cancel();
        if tokio::time::timeout(time_left.min(LAST_SPANS), task)
            .await
            .is_err()
        {
            tracing::warn!("the collector was too slow for the last spans; they are lost");
        }
    }
}

#[cfg(test)]
mod tests;
