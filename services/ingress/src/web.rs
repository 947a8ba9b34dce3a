//! The routes: reads a push whole, under a cap and a deadline, and says what became of it.
//!
//! | channel | route | taken |
//! |---|---|---|
//! | http | `POST /v1/channels/{connection}/messages` | 202 with the message's and the conversation's id |
//! | telegram | `POST /v1/channels/{connection}/updates` | 200 with an empty body |
//! | slack | `POST /v1/channels/{connection}/events` | 200 with an empty body |
//! | discord | `POST /v1/channels/{connection}/interactions` | 200 with the JSON that the interaction asks for, or 204 |
//!
//! A platform that only asks whether we are there gets 200 with the JSON that it wants to hear.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bus::{Span, SpanKind, TraceContext};
use proto_schemas::content::ChannelKind;
use proto_schemas::ids::{ConversationId, MessageId};
use runtime::web::{read_body, trace_of};
use serde::Serialize;
use tokio::sync::Semaphore;
use tracing::Instrument;

use crate::error::Refused;
use crate::metrics::{IngressMetrics, RequestResult};
use crate::pressure::Pressure;
use crate::stage::{Intake, Push, Taken};

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
        .route(route(ChannelKind::Http), post(messages))
        .route(route(ChannelKind::Telegram), post(updates))
        .route(route(ChannelKind::Slack), post(events))
        .route(route(ChannelKind::Discord), post(interactions))
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .with_state(door)
}

fn route(channel: ChannelKind) -> &'static str {
    match channel {
        ChannelKind::Http => "/v1/channels/{connection}/messages",
        ChannelKind::Telegram => "/v1/channels/{connection}/updates",
        ChannelKind::Slack => "/v1/channels/{connection}/events",
        ChannelKind::Discord => "/v1/channels/{connection}/interactions",
    }
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

async fn events(State(door): State<Arc<Door>>, Path(connection): Path<String>, request: Request) -> Response {
    door.answer(ChannelKind::Slack, &connection, request).await
}

async fn interactions(
    State(door): State<Arc<Door>>,
    Path(connection): Path<String>,
    request: Request,
) -> Response {
    door.answer(ChannelKind::Discord, &connection, request).await
}

impl Door {
    async fn answer(&self, channel: ChannelKind, connection: &str, request: Request) -> Response {
        let began = Instant::now();
        let spans = self.intake.bus.spans();
        let open = spans.receive(trace_of(request.headers()));
        let trace = open.context();
        let logged = tracing::info_span!("request", trace_id = trace.trace_id(), channel = channel.as_str());
        async {
            let (result, response) = match self.take(channel, connection, request, trace).await {
                Ok(taken) => (counted_as(&taken), told(channel, taken)),
                Err(refused) => {
                    refused.log();
                    (refused.verdict().result, refused.into_response())
                }
            };
            self.metrics.answered(channel, result, began.elapsed());
            spans.close(open, || answered(channel, result, response.status()));
            response
        }
        .instrument(logged)
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

/// The span of a push. What it says of the connection is in the message's own spans, if it became one.
fn answered(channel: ChannelKind, result: RequestResult, status: StatusCode) -> Span {
    let route = route(channel);
    let span = Span::new(SpanKind::Server, format!("POST {route}"))
        .with("http.request.method", "POST")
        .with("http.route", route)
        .with("http.response.status_code", u32::from(status.as_u16()))
        .with("chatbot.channel", channel.as_str())
        .with("chatbot.outcome", result.as_str());
    // A refusal is the sender's failure, by OpenTelemetry's conventions.
    if status.is_server_error() {
        span.failed(status.as_u16().to_string())
    } else {
        span
    }
}

fn counted_as(taken: &Taken) -> RequestResult {
    match taken {
        Taken::Message { duplicate: false, .. } => RequestResult::Accepted,
        Taken::Message { duplicate: true, .. } => RequestResult::Duplicate,
        Taken::Handshake { .. } => RequestResult::Handshake,
        Taken::Ignored => RequestResult::Ignored,
        Taken::Buried => RequestResult::NotUnderstood,
    }
}

#[derive(Serialize)]
struct Receipt {
    id: MessageId,
    conversation_id: ConversationId,
}

/// Telegram reads the body of an answer as a call that it is to make (`channels.md`, section 2.1.4), and Slack shows
/// that to a command or a button to its user, so they get none but the one that the message itself asks for.
fn told(channel: ChannelKind, taken: Taken) -> Response {
    match (channel, taken) {
        (
            _,
            Taken::Handshake { answer }
            | Taken::Message {
                answer: Some(answer), ..
            },
        ) => Json(answer).into_response(),
        (ChannelKind::Telegram | ChannelKind::Slack, _) => StatusCode::OK.into_response(),
        // Events of an application are to be answered so, with a type of nothing (`channels.md`, section 4.1.4).
        (ChannelKind::Discord, _) => {
            let type_of_nothing = [(header::CONTENT_TYPE, "application/json")];
            (StatusCode::NO_CONTENT, type_of_nothing).into_response()
        }
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
