//! What is said of a file that is served.
//!
//! What users and webhooks send is served from our own address, so nothing of it may run there: only plain
//! pictures are shown in place, everything else is saved, and the browser may not guess a type.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// Pictures that browsers show and that hold no script.
const SHOWN_IN_PLACE: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// The headers of a file, which may be kept for as long as its link is good.
pub(crate) fn headers(name: &str, mime_type: &str, good_for: Duration) -> HeaderMap {
    const FIXED: [(HeaderName, &str); 3] = [
        (header::ACCEPT_RANGES, "bytes"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
    ];
    let mut headers: HeaderMap = FIXED
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect();
    let unknown = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, mime_type.parse().unwrap_or(unknown));
    let saved = HeaderValue::from_static("attachment");
    headers.insert(
        header::CONTENT_DISPOSITION,
        disposition(name, mime_type).parse().unwrap_or(saved),
    );
    let lifetime = format!("private, max-age={}", good_for.as_secs());
    let not_kept = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, lifetime.parse().unwrap_or(not_kept));
    headers
}

/// How a browser shows the file, and its name, of which only harmless characters are kept.
fn disposition(name: &str, mime_type: &str) -> String {
    let form = if SHOWN_IN_PLACE.contains(&mime_type) {
        "inline"
    } else {
        "attachment"
    };
    let harmless = |c: char| {
        if c.is_ascii_alphanumeric() || "-_. ".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = name.chars().map(harmless).collect();
    format!("{form}; filename=\"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_shown_in_place() {
        assert_eq!(disposition("a.png", "image/png"), "inline; filename=\"a.png\"");
        for saved in ["image/svg+xml", "text/html", "application/pdf", ""] {
            assert_eq!(disposition("0", saved), "attachment; filename=\"0\"", "{saved}");
        }
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(
            disposition("a\"; x\r\n\\é", "a/b"),
            "attachment; filename=\"a__ x____\""
        );
    }

    #[test]
    fn a_type_that_is_no_header_is_unknown() {
        let headers = headers("k", "a/b\r\nx: y", Duration::from_millis(59_999));
        assert_eq!(headers[header::CONTENT_TYPE], "application/octet-stream");
        assert_eq!(headers[header::CACHE_CONTROL], "private, max-age=59");
    }
}
