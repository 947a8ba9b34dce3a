//! What the channels have in common whose platforms sign the time of a push together with its body.

use crate::inbound::{Refusal, Request};

/// How far the time of a request may lie from now, either way. Bounds how long it can be replayed.
const TOLERANCE_SECS: u64 = 300;

/// The time of a request, as its header writes it, if it is near enough to now.
pub(crate) fn fresh<'a>(request: &Request<'a>, name: &str) -> Result<&'a str, Refusal> {
    let timestamp = header(request, name)?;
    let at = seconds(timestamp).ok_or_else(|| unauthorized(name, "is not a number of seconds"))?;
    if at.abs_diff(request.now_secs) > TOLERANCE_SECS {
        let why = format!("is more than {TOLERANCE_SECS} seconds from our time");
        return Err(unauthorized(name, &why));
    }
    Ok(timestamp)
}

/// A header that has to be there, as text.
pub(crate) fn header<'a>(request: &Request<'a>, name: &str) -> Result<&'a str, Refusal> {
    let value = request
        .headers
        .get(name)
        .ok_or_else(|| unauthorized(name, "is missing"))?;
    value.to_str().map_err(|_| unauthorized(name, "is not text"))
}

pub(crate) fn unauthorized(header: &str, why: &str) -> Refusal {
    Refusal::Unauthorized(format!("{header} {why}"))
}

fn seconds(text: &str) -> Option<u64> {
    // A sign is no digit, although a number may have one.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
