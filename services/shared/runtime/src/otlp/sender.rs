//! Sends spans in batches, one request at a time.

use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use bus::FinishedSpan;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::resource::v1::Resource;
use outbound::{error_text, read_capped};
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::config::Collector;
use super::encode;
use super::metrics::SpanMetrics;

/// The most spans in one request, as OpenTelemetry's exporters have it.
const BATCH: usize = 512;
/// How long a span waits for others to go with.
const PERIOD: Duration = Duration::from_secs(1);
/// How long the collector may take for a request, as OpenTelemetry's exporters have it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is read; one is some bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Who sends.
pub(super) struct Sender {
    collector: Collector,
    resource: Resource,
    metrics: SpanMetrics,
    /// Whether the log says already that the collector takes nothing.
    told: bool,
}

impl Sender {
    pub(super) fn new(collector: Collector, resource: Resource, metrics: SpanMetrics) -> Self {
        Self {
            collector,
            resource,
            metrics,
            told: false,
        }
    }

    /// Sends until `closing`, and then what waits.
    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<FinishedSpan>, closing: CancellationToken) {
        loop {
            let (batch, is_last) = gather(&mut queue, &closing).await;
            if !batch.is_empty() {
                self.send(batch).await;
            }
            if is_last {
                return;
            }
        }
    }

    async fn send(&mut self, batch: Vec<FinishedSpan>) {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let request = encode::request(&self.resource, batch.into_iter());
        match self.post(request.encode_to_vec()).await {
            Ok(rejected) => {
                self.metrics.sent(count, rejected);
                if std::mem::take(&mut self.told) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Err(cause) => {
                self.metrics.sent(count, count);
                if !std::mem::replace(&mut self.told, true) {
                    tracing::warn!(
                        cause,
                        "the collector takes no spans; they are dropped until it does"
                    );
                }
            }
        }
    }

    /// How many spans of a request the collector rejected; in words why it took none. Holds no secret.
    async fn post(&self, body: Vec<u8>) -> Result<u64, String> {
        let Collector { url, headers, client } = &self.collector;
        let request = client
            .request(Method::POST, url)
            .map_err(|denied| denied.to_string())?
            .headers(headers.clone())
            .header(
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/x-protobuf"),
            )
            .timeout(PATIENCE)
            .body(body);
        let response = client.send(request).await.map_err(error_text)?;
        let status = response.status();
        let answer = read_capped(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("it answered {}", status.as_u16()));
        }
        // What cannot be read tells of no rejection.
        let partly = ExportTraceServiceResponse::decode(&*answer)
            .ok()
            .and_then(|answer| answer.partial_success);
        Ok(partly.map_or(0, |partly| u64::try_from(partly.rejected_spans).unwrap_or(0)))
    }
}

/// The next batch, when it is full or its first span has waited long enough; and whether it is the last.
async fn gather(
    queue: &mut mpsc::Receiver<FinishedSpan>,
    closing: &CancellationToken,
) -> (Vec<FinishedSpan>, bool) {
    let mut batch = Vec::new();
    let mut deadline = Instant::now();
    while batch.len() < BATCH {
        let (room, is_begun) = (BATCH - batch.len(), !batch.is_empty());
        tokio::select! {
            // What waits is taken until nothing does.
            biased;
            () = closing.cancelled(), if !queue.is_closed() => queue.close(),
            taken = queue.recv_many(&mut batch, room) => {
                if taken == 0 {
                    return (batch, true);
                }
                if !is_begun {
                    deadline = Instant::now() + PERIOD;
                }
            }
            () = sleep_until(deadline), if is_begun => break,
        }
    }
    (batch, false)
}

#[cfg(test)]
mod tests;
