//! When OpenAI's rate limits let more through, if it does not say so by `Retry-After`.

use std::time::Duration;

use outbound::MAX_RETRY_AFTER;
use reqwest::header::HeaderMap;

/// The limits that the API tells of: calls, and tokens.
const LIMITS: [&str; 2] = ["requests", "tokens"];

/// The wait that `retry-after-ms` asks for, else the longest `x-ratelimit-reset-…` of the limits that are used
/// up. A call that needs more tokens than there are leaves no limit at zero; then the longest of all counts.
/// At most [`MAX_RETRY_AFTER`].
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let millis = text(headers, "retry-after-ms").and_then(milliseconds);
    millis
        .or_else(|| longest(headers, |limit| is_used_up(headers, limit)))
        .or_else(|| longest(headers, |_| true))
        .map(|wait| wait.min(MAX_RETRY_AFTER))
}

fn longest(headers: &HeaderMap, counts: impl Fn(&str) -> bool) -> Option<Duration> {
    let counted = LIMITS.into_iter().filter(|limit| counts(limit));
    counted
        .filter_map(|limit| duration(text(headers, &format!("x-ratelimit-reset-{limit}"))?))
        .max()
}

fn is_used_up(headers: &HeaderMap, limit: &str) -> bool {
    text(headers, &format!("x-ratelimit-remaining-{limit}")) == Some("0")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim())
}

fn milliseconds(text: &str) -> Option<Duration> {
    seconds_of(text, 0.001)
}

/// A duration as Go writes it: `1s`, `6m0s`, `20ms`, `1.5s`.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit_on) = rest.split_at(unit_at);
        let next_at = unit_on
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(unit_on.len());
        let (unit, after) = unit_on.split_at(next_at);
        sum = sum.saturating_add(seconds_of(number, seconds_in(unit)?)?);
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

fn seconds_in(unit: &str) -> Option<f64> {
    match unit {
        "h" => Some(3600.0),
        "m" => Some(60.0),
        "s" => Some(1.0),
        "ms" => Some(0.001),
        _ => None,
    }
}

fn seconds_of(number: &str, unit: f64) -> Option<Duration> {
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number.parse().ok().filter(|_| plain)?;
    Duration::try_from_secs_f64(number * unit).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderName;

    use super::*;

    fn asked(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        wait(&pairs.collect())
    }

    #[test]
    fn durations_are_read_as_the_api_writes_them() {
        let millis = |text| duration(text).map(|read| read.as_millis());
        assert_eq!(millis("1s"), Some(1_000));
        assert_eq!(millis("6m0s"), Some(360_000));
        assert_eq!(millis("20ms"), Some(20));
        assert_eq!(millis("8.64s"), Some(8_640));
        assert_eq!(millis("1h2m3s"), Some(3_723_000));
        for nonsense in [
            "",
            "s",
            "1",
            "1x",
            "-1s",
            "1s2",
            "1e3s",
            "soon",
            "999999999999999999999999h",
        ] {
            assert_eq!(duration(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn milliseconds_go_before_the_limits() {
        let wait = asked(&[("retry-after-ms", "1250"), ("x-ratelimit-reset-tokens", "6m0s")]);
        assert_eq!(wait, Some(Duration::from_millis(1250)));
    }

    #[test]
    fn the_limit_that_is_used_up_says_how_long() {
        let wait = asked(&[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        assert_eq!(wait, Some(Duration::from_secs(1)));
    }

    #[test]
    fn without_one_that_is_used_up_the_longest_counts() {
        let wait = asked(&[
            ("x-ratelimit-reset-requests", "20ms"),
            ("x-ratelimit-reset-tokens", "6m0s"),
        ]);
        assert_eq!(wait, Some(Duration::from_secs(360)));
        assert_eq!(asked(&[("x-ratelimit-reset-tokens", "tomorrow")]), None);
        assert_eq!(asked(&[]), None);
    }

    #[test]
    fn a_wait_is_capped() {
        assert_eq!(asked(&[("retry-after-ms", "99999999999")]), Some(MAX_RETRY_AFTER));
        assert_eq!(
            asked(&[("x-ratelimit-reset-requests", "24h0m0s")]),
            Some(MAX_RETRY_AFTER)
        );
    }
}
