//! What an API says about a refusal, in words that may be kept.

use serde::Deserialize;
use serde_json::Value;

use crate::request::SentSecrets;

/// How much of an error body is kept.
pub(super) const MAX_DETAIL_CHARS: usize = 300;

/// The error body that OpenAI and Anthropic share: `{"error": {"type", "message", "code"}}`.
#[derive(Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: ApiError,
}

/// What is inside it.
#[derive(Deserialize)]
pub(super) struct ApiError {
    /// The class, in the API's own words.
    #[serde(default, rename = "type")]
    pub(super) kind: Option<String>,
    /// The closer class, which only OpenAI has. Other servers that speak its format put a number here.
    #[serde(default)]
    pub(super) code: Option<Value>,
    message: String,
}

/// What the body says, as `type: message`.
pub(super) fn said(body: &[u8]) -> Option<String> {
    let ErrorBody { error } = serde_json::from_slice(body).ok()?;
    let kind = error.kind.map(|kind| format!("{kind}: ")).unwrap_or_default();
    Some(format!("{kind}{}", error.message))
}

/// What is kept of a refusal: what the body says, or its beginning. Without the request's secrets, which are
/// taken out before it is cut: a part of one would not be recognised.
pub(super) fn shown(said: Option<String>, body: &[u8], secrets: &SentSecrets) -> String {
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    secrets
        .redact(said)
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_DETAIL_CHARS)
        .collect()
}
