//! The span of one call of a webhook.

use bus::{Span, SpanKind};
use registry::Integration;

use crate::integration::Answer;

/// A call that was made. Of the URL only the host is told: the rest may hold a secret.
pub(crate) fn of(integration: &Integration, attempt: u32, answer: &Answer) -> Span {
    let host = integration.url.host_str().unwrap_or_default().to_owned();
    let mut span = Span::new(SpanKind::Client, "POST")
        .with("http.request.method", "POST")
        .with("server.address", host)
        .with("chatbot.integration.id", integration.id.as_str().to_owned())
        .with("chatbot.attempt", attempt);
    if let Some(status) = answer.status {
        span = span.with("http.response.status_code", u32::from(status));
    }
    match &answer.result {
        Ok(_) => span,
        Err(error) => span.failed(error.class),
    }
}
