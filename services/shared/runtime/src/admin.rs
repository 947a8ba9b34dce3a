//! `/healthz`, `/readyz`, `/metrics`: on a port of their own, the same for every service.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::health::Health;
use crate::metrics::Metrics;

/// The admin endpoints.
pub fn router(health: &Health, metrics: &Metrics) -> Router {
    let (live, ready, metrics) = (health.clone(), health.clone(), metrics.clone());
    Router::new()
        .route(
            "/healthz",
            get(move || std::future::ready(verdict(&live.stuck()))),
        )
        .route(
            "/readyz",
            get(move || std::future::ready(verdict(&ready.unready()))),
        )
        .route("/metrics", get(move || std::future::ready(render(&metrics))))
}

fn verdict(reasons: &[&str]) -> Response {
    if reasons.is_empty() {
        return (StatusCode::OK, "ok\n").into_response();
    }
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("{}\n", reasons.join("\n")),
    )
        .into_response()
}

fn render(metrics: &Metrics) -> Response {
    match metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
