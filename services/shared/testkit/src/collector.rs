//! An OpenTelemetry collector that takes spans by OTLP over HTTP, as protobuf, from whoever knows its key.

mod spans;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;

pub use self::spans::{Kind, Span};
use crate::condition::{PATIENCE, wait_for};
use crate::gate::{Doorway, Gate};
use crate::server::Server;

/// The key that it asks for, as the header `x-collector-key` has it.
pub const COLLECTOR_KEY: &str = "testkit key=of,the collector";
/// The same, as it stands in the variable.
const KEY_IN_VARIABLE: &str = "x-collector-key=testkit%20key%3Dof%2Cthe%20collector";

/// A collector that keeps what it takes.
#[derive(Debug)]
pub struct FakeCollector {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    taken: Mutex<Taken>,
    doorway: Doorway,
}

#[derive(Debug, Default)]
struct Taken {
    spans: Vec<Span>,
    bodies: Vec<Bytes>,
    refusals: Vec<String>,
    /// Answers everything with this while it is set.
    outage: Option<u16>,
    /// How many spans of each request it rejects.
    rejects: i64,
}

impl FakeCollector {
    /// Starts a collector on a free port.
    pub async fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(Arc::clone(&shared));
        Self {
            server: Server::start(router).await,
            shared,
        }
    }

    /// What a service is configured with to export its spans here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.server.base_url()),
            ("OTEL_EXPORTER_OTLP_HEADERS", KEY_IN_VARIABLE.to_owned()),
        ]
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.shared.taken.lock().unwrap().spans.clone()
    }

    /// The spans of a trace, when they are as many as `enough` wants.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn trace(&self, trace_id: &str, what: &str, enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        wait_for(PATIENCE, what, async || {
            let mut spans = self.spans();
            spans.retain(|span| span.trace_id == trace_id);
            enough(&spans).then_some(spans)
        })
        .await
    }

    /// The bodies of all requests that were taken.
    pub fn bodies(&self) -> Vec<Bytes> {
        self.shared.taken.lock().unwrap().bodies.clone()
    }

    /// What was wrong with requests: one text for each.
    pub fn refusals(&self) -> Vec<String> {
        self.shared.taken.lock().unwrap().refusals.clone()
    }

    /// Answers everything with this status until told otherwise.
    pub fn answer_with(&self, status: Option<u16>) {
        self.shared.taken.lock().unwrap().outage = status;
    }

    /// Takes requests from now on, and says that it has rejected so many of the spans of each.
    pub fn reject(&self, spans: i64) {
        self.shared.taken.lock().unwrap().rejects = spans;
    }

    /// Holds back the answers to requests that come from now on.
    pub fn hold(&self) -> Gate {
        self.shared.doorway.close()
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    shared.doorway.pass().await;
    let mut taken = shared.taken.lock().unwrap();
    if let Some(status) = taken.outage {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let problem = match read(&headers, &body) {
        Ok(spans) => {
            taken.spans.extend(spans);
            taken.bodies.push(body);
            let answer = ExportTraceServiceResponse {
                partial_success: (taken.rejects > 0).then(|| ExportTracePartialSuccess {
                    rejected_spans: taken.rejects,
                    error_message: "as the test wants it".to_owned(),
                }),
            };
            return ([(header::CONTENT_TYPE, PROTOBUF)], answer.encode_to_vec()).into_response();
        }
        Err(problem) => problem,
    };
    taken.refusals.push(problem);
    StatusCode::BAD_REQUEST.into_response()
}

const PROTOBUF: &str = "application/x-protobuf";

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Span>, String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header("x-collector-key") != Some(COLLECTOR_KEY) {
        return Err("the key is not ours".to_owned());
    }
    if header("content-type") != Some(PROTOBUF) {
        return Err("it is not protobuf".to_owned());
    }
    let request = ExportTraceServiceRequest::decode(body).map_err(|error| error.to_string())?;
    request
        .resource_spans
        .into_iter()
        .map(spans::of)
        .collect::<Result<Vec<_>, _>>()
        .map(|all| all.concat())
}
