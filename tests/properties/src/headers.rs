//! Headers from strangers.

use std::time::Duration;

use attachment_fetcher::range::{Wanted, wanted};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use outbound::MAX_RETRY_AFTER;

use crate::files::split_line;

/// The first line as the length of a file, the rest as the header `Range`.
pub fn range(input: &[u8]) {
    let Some((length, headers)) = number_and_header(input, header::RANGE) else {
        return;
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let found = wanted(&headers, length);
    if let Wanted::Part(part) = &found {
        assert!(
            part.start < part.end && part.end <= length,
            "{part:?} of {length}"
        );
    }
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    if let Some((first, last)) = asked.and_then(plain_range) {
        let expected = match usize::try_from(first) {
            Ok(first) if first < length => {
                Wanted::Part(first..usize::try_from(last).unwrap_or(length).min(length - 1) + 1)
            }
            Ok(_) | Err(_) => Wanted::Beyond,
        };
        assert_eq!(found, expected);
    }
}

/// `bytes=first-last`, the form that browsers and players send. A number of very many digits
/// may be passed over, whatever it says.
fn plain_range(text: &str) -> Option<(u64, u64)> {
    const MAX_DIGITS: usize = 18;
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.len().max(last.len()) > MAX_DIGITS {
        return None;
    }
    let number = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok())?
    };
    Some((number(first)?, number(last)?)).filter(|(first, last)| first <= last)
}

/// The first line as the time, the rest as the header `Retry-After`.
pub fn retry_after(input: &[u8]) {
    let Some((now_secs, headers)) = number_and_header(input, header::RETRY_AFTER) else {
        return;
    };
    let wait = outbound::retry_after(&headers, now_secs);
    assert!(wait.is_none_or(|wait| wait <= MAX_RETRY_AFTER), "{wait:?}");
    let seconds = headers
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    if let Some(seconds) =
        seconds.and_then(|text| text.parse::<u32>().ok().filter(|_| !text.starts_with('+')))
    {
        let asked = Duration::from_secs(seconds.into());
        assert_eq!(wait, Some(asked.min(MAX_RETRY_AFTER)));
    }
}

fn number_and_header(input: &[u8], name: HeaderName) -> Option<(u64, HeaderMap)> {
    let (number, value) = split_line(input);
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    let value = HeaderValue::from_bytes(value).ok()?;
    Some((number, HeaderMap::from_iter([(name, value)])))
}
