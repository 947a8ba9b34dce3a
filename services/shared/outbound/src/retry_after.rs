//! When a peer wants to be asked again.

use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};

/// The longest wait that a peer may ask for: a mistaken or malicious header must not park work for days.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(60 * 60);

/// Reads `Retry-After`, in seconds or as a date, capped at [`MAX_RETRY_AFTER`]. A date in the past is zero.
pub fn retry_after(headers: &HeaderMap, now_secs: u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = seconds(text).or_else(|| until(text, now_secs))?;
    Some(wait.min(MAX_RETRY_AFTER))
}

fn seconds(text: &str) -> Option<Duration> {
    // Some peers send fractions, which the standard does not know; rounded up they are harmless.
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let more = u64::from(fraction.bytes().any(|byte| byte != b'0'));
    Some(Duration::from_secs(
        whole.parse().unwrap_or(u64::MAX).saturating_add(more),
    ))
}

fn until(text: &str, now_secs: u64) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    let at = date.duration_since(UNIX_EPOCH).ok()?;
    Some(at.saturating_sub(Duration::from_secs(now_secs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: u64 = 784_111_777;

    fn read(value: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        retry_after(&headers, NOW)
    }

    #[test]
    fn seconds_and_dates_are_understood() {
        assert_eq!(read("37"), Some(Duration::from_secs(37)));
        assert_eq!(read("0"), Some(Duration::ZERO));
        assert_eq!(read("1.2"), Some(Duration::from_secs(2)));
        assert_eq!(
            read("Sun, 06 Nov 1994 08:50:37 GMT"),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn a_wait_is_capped() {
        assert_eq!(read("3600"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("3601"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("99999999999999999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(read("Sat, 06 Nov 2094 08:49:37 GMT"), Some(MAX_RETRY_AFTER));
    }

    #[test]
    fn nonsense_is_no_wait() {
        for value in ["", "-1", "soon", "1e3", ".5", "+5"] {
            assert_eq!(read(value), None, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }
}
