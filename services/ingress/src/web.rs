//! The routes: reads a push whole, under a cap and a deadline, and says what became of it.
//!
//! | channel | route | taken |
//! |---|---|---|
//! | http | `POST /v1/channels/{connection}/messages` | 202 with the message's and the conversation's id |
//! | telegram | `POST /v1/channels/{connection}/updates` | 200 with an empty body |

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bus::TraceContext;
use bytes::Bytes;
use proto_schemas::content::ChannelKind;
use proto_schemas::ids::{ConversationId, MessageId};
use proto_schemas::wire::TRACEPARENT;
use serde::Serialize;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::error::Refused;
use crate::metrics::{IngressMetrics, RequestResult};
use crate::pressure::Pressure;
use crate::stage::{Intake, Push, Taken};

/// How long a body may take to arrive: platforms send theirs at once, and a slow one holds a place.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Where pushes come in.
pub(crate) struct Door {
    intake: Arc<Intake>,
    metrics: IngressMetrics,
    pressure: Arc<Pressure>,
    places: Semaphore,
}

impl Door {
    pub(crate) fn new(
        intake: Arc<Intake>,
        metrics: IngressMetrics,
        pressure: Arc<Pressure>,
        max_concurrent_requests: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            intake,
            metrics,
            pressure,
            places: Semaphore::new(max_concurrent_requests),
        })
    }
}

pub(crate) fn router(door: Arc<Door>, max_body_bytes: usize) -> Router {
    Router::new()
        .route("/v1/channels/{connection}/messages", post(messages))
        .route("/v1/channels/{connection}/updates", post(updates))
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .with_state(door)
}

async fn messages(
    State(door): State<Arc<Door>>,
    Path(connection): Path<String>,
    request: Request,
) -> Response {
    door.answer(ChannelKind::Http, &connection, request).await
}

async fn updates(
    State(door): State<Arc<Door>>,
    Path(connection): Path<String>,
    request: Request,
) -> Response {
    door.answer(ChannelKind::Telegram, &connection, request).await
}

impl Door {
    async fn answer(&self, channel: ChannelKind, connection: &str, request: Request) -> Response {
        let began = Instant::now();
        let trace = trace_of(request.headers());
        let span = tracing::info_span!("request", trace_id = trace.trace_id(), channel = channel.as_str());
        async {
            let (result, response) = match self.take(channel, connection, request, trace).await {
                Ok(taken) => (counted_as(&taken), told(channel, taken)),
                Err(refused) => {
                    refused.log();
                    (refused.verdict().result, refused.into_response())
                }
            };
            self.metrics.answered(channel, result, began.elapsed());
            response
        }
        .instrument(span)
        .await
    }

    async fn take(
        &self,
        channel: ChannelKind,
        connection: &str,
        mut request: Request,
        trace: TraceContext,
    ) -> Result<Taken, Refused> {
        if self.intake.connection(channel, connection).is_none() {
            return Err(Refused::UnknownConnection);
        }
        if self.pressure.is_high() {
            return Err(Refused::Overloaded);
        }
        let _place = self.places.try_acquire().map_err(|_| Refused::Overloaded)?;
        let headers = std::mem::take(request.headers_mut());
        let route = request.uri().path().to_owned();
        let body = read_body(request).await?;
        let push = Push {
            channel,
            connection,
            route: &route,
            headers: &headers,
            body: &body,
            trace,
        };
        self.intake.take(&push).await
    }
}

async fn read_body(request: Request) -> Result<Bytes, Refused> {
    let read = tokio::time::timeout(BODY_DEADLINE, Bytes::from_request(request, &()));
    match read.await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Refused::TooLarge),
        Ok(Err(_)) => Err(Refused::BadBody("the body broke off".to_owned())),
        Err(_) => Err(Refused::TooSlow),
    }
}

/// The sender's trace, if it brought one, or a new one.
fn trace_of(headers: &HeaderMap) -> TraceContext {
    let given = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    given
        .and_then(TraceContext::parse)
        .map_or_else(TraceContext::new, TraceContext::child)
}

fn counted_as(taken: &Taken) -> RequestResult {
    match taken {
        Taken::Message { duplicate: false, .. } => RequestResult::Accepted,
        Taken::Message { duplicate: true, .. } => RequestResult::Duplicate,
        Taken::Ignored => RequestResult::Ignored,
        Taken::Buried => RequestResult::NotUnderstood,
    }
}

#[derive(Serialize)]
struct Receipt {
    id: MessageId,
    conversation_id: ConversationId,
}

/// Telegram reads the body of an answer as a call that it is to make (`channels.md`, section 2.1.4), so it
/// gets none.
fn told(channel: ChannelKind, taken: Taken) -> Response {
    match (channel, taken) {
        (ChannelKind::Telegram, _) => StatusCode::OK.into_response(),
        (ChannelKind::Http, Taken::Message { id, conversation, .. }) => {
            let receipt = Receipt {
                id,
                conversation_id: conversation,
            };
            (StatusCode::ACCEPTED, Json(receipt)).into_response()
        }
        (ChannelKind::Http, Taken::Ignored | Taken::Buried) => StatusCode::ACCEPTED.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let refused = read_body(Request::new(body)).await.unwrap_err();
        assert_eq!(refused.verdict().status, StatusCode::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_the_senders_fault() {
        let parts: [Result<Bytes, std::io::Error>; 2] =
            [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))];
        let refused = read_body(Request::new(Body::from_stream(stream::iter(parts))))
            .await
            .unwrap_err();
        assert_eq!(refused.verdict().status, StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_trace_that_comes_along_is_carried_on() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let headers = HeaderMap::from_iter([(
            TRACEPARENT.parse::<axum::http::HeaderName>().unwrap(),
            header.parse().unwrap(),
        )]);
        assert_eq!(trace_of(&headers).trace_id(), TRACE);
        assert_ne!(trace_of(&HeaderMap::new()).trace_id(), TRACE);
    }
}
