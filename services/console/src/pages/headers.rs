//! What every answer of the pages says to the browser about what it may do with it.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;

/// Nothing from elsewhere, nothing inline, no frame around us, and no script may make markup of a text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The others.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Forms have to say where they come from, so our own pages are told.
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// With the headers of all pages, except those that the answer has already.
pub(super) fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let not_kept = (header::CACHE_CONTROL, "no-store");
    for (name, value) in HEADERS.into_iter().chain([not_kept]) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
