//! Files that users have sent, for who is signed in.
//!
//! Guarantees:
//! - what a user has sent is saved and never shown in place: nothing of it runs here, and the browser may not guess a type;
//! - at most so many files are in memory as have a place, until they are sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bus::BusError;
use bytes::Bytes;
use files::{FileError, Files};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proto_schemas::content::StoredFile;
use runtime::web::retry_after;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::page::{Reply, fields};
use super::take::{finish, refuse, signed_in};
use crate::problem::Problem;
use crate::web::Desk;

/// The largest file that is sent: no larger one is stored.
const MOST_FILE_BYTES: usize = 50 * 1024 * 1024;
/// Files in memory at once, each of them whole.
const PLACES: usize = 2;
/// How long a request waits for others to be sent.
const PLACE_WAIT: Duration = Duration::from_secs(5);
/// When to ask again while there is no place.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// The longest name that a file is given, in characters.
const MAX_NAME_CHARS: usize = 150;
/// What stands for itself in an address, and in the value of a header (RFC 8187).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same in the path of an address.
const KEPT_IN_PATH: &AsciiSet = &KEPT.remove(b'/');

/// Pictures that hold no script, by their first bytes.
const PICTURES: [(&[u8], &str); 4] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
];

/// The store of files, and the places of those that are being sent.
pub(crate) struct Attachments {
    files: Files,
    places: Arc<Semaphore>,
}

/// A file that keeps its place until it is sent.
struct Held {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Attachments {
    pub(crate) fn new(files: Files) -> Self {
        Self {
            files,
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }

    /// A file as it is sent; `name` is what it is saved as.
    async fn sent(&self, key: &str, name: &str) -> Result<Response, Problem> {
        let Some(place) = place(&self.places).await else {
            return Ok(come_again());
        };
        let bytes = self.files.read(key, MOST_FILE_BYTES).await.map_err(problem)?;
        let media_type = media_type(&bytes);
        let body = Bytes::from_owner(Held { bytes, _place: place });
        let saved = HeaderValue::from_static("attachment");
        let disposition = disposition(name).parse().unwrap_or(saved);
        let fixed: [(HeaderName, &str); 3] = [
            (header::CONTENT_TYPE, media_type),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
        ];
        Ok((fixed, [(header::CONTENT_DISPOSITION, disposition)], body).into_response())
    }
}

/// The routes. They are none of the pages', of which one is read at a time: a store may be slow.
pub(super) fn router() -> Router<Arc<Desk>> {
    Router::new().route("/attachments/{*key}", get(serve))
}

/// Where a file is.
pub(super) fn address(file: &StoredFile) -> String {
    let key = utf8_percent_encode(&file.key, KEPT_IN_PATH);
    format!(
        "/attachments/{key}?name={}",
        utf8_percent_encode(&file.name, KEPT)
    )
}

async fn serve(
    State(desk): State<Arc<Desk>>,
    key: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let began = Instant::now();
    let Ok(Some(session)) = signed_in(&desk, request.headers()) else {
        return refuse(&desk, &request, Problem::NoRoute);
    };
    let query = fields(request.uri().query().unwrap_or_default().as_bytes());
    let name = query.get("name").map_or("", String::as_str);
    let done = match key {
        Ok(Path(key)) => desk.attachments.sent(&key, name).await.map(Reply::Other),
        Err(_) => Err(Problem::NoRoute),
    };
    finish(&desk, Some(&session), done, began)
}

async fn place(places: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    let acquired = tokio::time::timeout(PLACE_WAIT, Arc::clone(places).acquire_owned()).await;
    acquired.ok()?.ok()
}

fn come_again() -> Response {
    let wait = [(header::RETRY_AFTER, retry_after(ASK_AGAIN))];
    let text = "too many files are being sent; try again\n";
    (StatusCode::SERVICE_UNAVAILABLE, wait, text).into_response()
}

fn problem(error: FileError) -> Problem {
    match error {
        FileError::Missing { .. } | FileError::TooLarge { .. } => {
            Problem::NotFound("no file of at most 50 MiB is stored there")
        }
        FileError::Incomplete => Problem::Broker(BusError::Unavailable(error.to_string())),
        FileError::Unavailable(why) => Problem::Broker(BusError::Unavailable(why)),
    }
}

/// What the bytes are, if they are a plain picture, whoever claims what.
fn media_type(bytes: &[u8]) -> &'static str {
    let found = PICTURES.iter().find(|(start, _)| bytes.starts_with(start));
    match found {
        // The container is that of sound and film, too.
        Some((_, "image/webp")) if bytes.get(8..12) != Some(b"WEBP") => "application/octet-stream",
        Some((_, media_type)) => media_type,
        None => "application/octet-stream",
    }
}

/// That a file is saved, and as what: in plain characters for old readers, and whole (RFC 6266 and 8187).
fn disposition(name: &str) -> String {
    let name: String = name
        .chars()
        .filter(|c| !c.is_control())
        .map(|c| if matches!(c, '/' | '\\') { '_' } else { c })
        .take(MAX_NAME_CHARS)
        .collect();
    let name = if name.trim_matches(['.', ' ']).is_empty() {
        "file"
    } else {
        &name
    };
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_. ".contains(c) {
            c
        } else {
            '_'
        }
    };
    let plain: String = name.chars().map(plain).collect();
    let whole = utf8_percent_encode(name, KEPT);
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header_and_keeps_its_letters() {
        assert_eq!(
            disposition("a\"; x\r\n\\é.png"),
            "attachment; filename=\"a__ x__.png\"; filename*=UTF-8''a%22%3B%20x_%C3%A9.png"
        );
        for bad in ["", "..", " ", "\u{7}"] {
            assert_eq!(
                disposition(bad),
                "attachment; filename=\"file\"; filename*=UTF-8''file",
                "{bad:?}"
            );
        }
        assert!(
            disposition(&"é".repeat(10_000))
                .parse::<HeaderValue>()
                .unwrap()
                .len()
                < 2_000
        );
    }

    #[test]
    fn only_what_is_a_picture_is_said_to_be_one() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\nx"), "image/png");
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), "image/jpeg");
        assert_eq!(media_type(b"GIF89a"), "image/gif");
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBP"), "image/webp");
        for other in [
            &b"RIFF\0\0\0\0WAVE"[..],
            b"RIFF",
            b"<svg>",
            b"<html>",
            b"%PDF",
            b"",
        ] {
            assert_eq!(media_type(other), "application/octet-stream");
        }
    }

    #[test]
    fn the_address_of_a_file_holds_whatever_its_name_and_key_are() {
        let file = StoredFile {
            key: "sha256/ab?c".to_owned(),
            name: "a&b=\"c\".png".to_owned(),
            mime_type: String::new(),
            bytes: 0,
        };
        assert_eq!(
            address(&file),
            "/attachments/sha256/ab%3Fc?name=a%26b%3D%22c%22.png"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_place_in_time_is_told_to_come_again() {
        let places = Arc::new(Semaphore::new(1));
        let held = Held {
            bytes: Bytes::from_static(b"x"),
            _place: place(&places).await.unwrap(),
        };
        assert!(place(&places).await.is_none());
        assert_eq!(come_again().headers()[header::RETRY_AFTER], "1");
        drop(Bytes::from_owner(held));
        assert!(place(&places).await.is_some());
    }
}
