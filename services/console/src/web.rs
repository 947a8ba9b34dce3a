//! The routes.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bus::Bus;
use proto_schemas::integration_test::MAX_MESSAGE_BYTES;
use registry::Registry;
use runtime::web::read_body;
use tracing::Instrument;

use crate::metrics::ConsoleMetrics;
use crate::problem::Problem;
use crate::test_integration;
use crate::token::Tokens;

/// The largest body: the longest message, each byte of it escaped, and the rest.
const MAX_BODY_BYTES: usize = 6 * MAX_MESSAGE_BYTES + 1024;

/// Where requests come in.
pub(crate) struct Desk {
    bus: Bus,
    registry: Registry,
    tokens: Tokens,
    metrics: ConsoleMetrics,
}

impl Desk {
    pub(crate) fn new(bus: Bus, registry: Registry, tokens: Tokens, metrics: ConsoleMetrics) -> Self {
        Self {
            bus,
            registry,
            tokens,
            metrics,
        }
    }

    /// Answers who shows a token, and counts.
    async fn answer<T: IntoResponse>(
        &self,
        request: Request,
        work: impl AsyncFnOnce(Request) -> Result<T, Problem>,
    ) -> Response {
        let began = Instant::now();
        let done = if self.tokens.admit(request.headers()) {
            work(request).await
        } else {
            Err(Problem::Unauthorized)
        };
        self.metrics.answered(done.as_ref().err(), began.elapsed());
        match done {
            Ok(answer) => answer.into_response(),
            Err(problem) => {
                problem.log();
                problem.into_response()
            }
        }
    }
}

pub(crate) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/v1/integrations/{id}/test", post(test))
        .fallback(no_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(desk)
}

async fn test(
    State(desk): State<Arc<Desk>>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let span = tracing::info_span!("request", route = "test");
    let work = async |request| {
        // Judged only now: without a token nothing is said, not even of the address.
        let Path(id) = id.map_err(|_| Problem::NoRoute)?;
        let body = read_body(request).await?;
        let body = serde_json::from_slice(&body).map_err(|error| Problem::Unusable(error.to_string()))?;
        let report = test_integration::test(&desk.bus, &desk.registry, &id, body).await?;
        Ok(Json(report))
    };
    desk.answer(request, work).instrument(span).await
}

async fn no_route(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let nothing = async |_| Err::<(), _>(Problem::NoRoute);
    desk.answer(request, nothing).await
}

async fn wrong_method(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let nothing = async |_| Err::<(), _>(Problem::WrongMethod);
    desk.answer(request, nothing).await
}
