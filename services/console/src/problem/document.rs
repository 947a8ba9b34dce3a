//! A problem as its sender sees it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use operations::RecordError;
use runtime::web::retry_after;
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;

/// The type of a problem document.
const PROBLEM: &str = "application/problem+json";
/// How a client shows who it is.
const CHALLENGE: &str = "Bearer realm=\"chatbot console\"";

/// A problem document. Its type is `about:blank`, so the title is the status's own.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Document {
    /// Always `about:blank`: the code tells which problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What the status means.
    title: &'static str,
    /// The status.
    status: u16,
    /// What happened, for a person.
    detail: String,
    /// Which problem it is, for a program.
    code: &'static str,
    /// The rules that a record breaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<registry::Problem>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let verdict = self.verdict();
        let errors = if let Self::Record(RecordError::Invalid(problems)) = &self {
            problems.clone()
        } else {
            Vec::new()
        };
        let document = Document {
            kind: "about:blank",
            title: verdict.status.canonical_reason().unwrap_or_default(),
            status: verdict.status.as_u16(),
            detail: self.to_string(),
            code: verdict.code,
            errors,
        };
        let mut response = (verdict.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if let Some(wait) = verdict.retry_after {
            headers.insert(header::RETRY_AFTER, retry_after(wait));
        }
        if verdict.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        response
    }
}
