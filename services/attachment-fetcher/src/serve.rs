//! Serves stored files to whoever holds a link that we signed.
//!
//! What users and webhooks send is served from our own address, so nothing of it may run there: only plain
//! pictures are shown in place, everything else is saved, and the browser may not guess a type.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bus::{Bus, ObjectError, StoredBytes};
use bytes::Bytes;
use domain::links::LinkError;
use proto_schemas::ids::UnixMillis;
use runtime::clock;
use runtime::links::Links;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::MOST_FILE_BYTES;
use crate::metrics::{FetchMetrics, ServeResult};
use crate::range::{self, Wanted};

/// How long a request waits for others to be served.
const PLACE_WAIT: Duration = Duration::from_secs(5);
/// When to ask again while the broker is away or there is too much to do, in seconds.
const RETRY_AFTER_SECS: u64 = 1;
/// Pictures that browsers show and that hold no script.
const SHOWN_IN_PLACE: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// Serves files.
pub(crate) struct FileServer {
    bus: Bus,
    links: Links,
    metrics: FetchMetrics,
    places: Arc<Semaphore>,
}

/// Why a file is not served.
#[derive(Debug)]
enum Refused {
    Link(LinkError),
    Missing,
    Busy,
    Unavailable(ObjectError),
}

#[derive(Deserialize)]
struct LinkQuery {
    expires: u64,
    signature: String,
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

pub(crate) fn router(server: Arc<FileServer>) -> Router {
    // `get` answers HEAD too, with the same headers.
    Router::new()
        .route("/files/{*key}", get(serve))
        .with_state(server)
}

async fn serve(
    State(server): State<Arc<FileServer>>,
    Path(key): Path<String>,
    query: Result<Query<LinkQuery>, QueryRejection>,
    asked: HeaderMap,
) -> Response {
    match server.read(&key, query.ok().map(|Query(link)| link)).await {
        Ok((headers, bytes)) => {
            server.metrics.served(ServeResult::Served);
            (headers, part(&asked, bytes)).into_response()
        }
        Err(refused) => {
            refused.log(&key);
            server.metrics.served(refused.result());
            refused.into_response()
        }
    }
}

impl FileServer {
    pub(crate) fn new(
        bus: Bus,
        links: Links,
        metrics: FetchMetrics,
        max_concurrent_reads: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            bus,
            links,
            metrics,
            places: Arc::new(Semaphore::new(max_concurrent_reads)),
        })
    }

    async fn read(&self, key: &str, link: Option<LinkQuery>) -> Result<(HeaderMap, Bytes), Refused> {
        let link = link.ok_or(Refused::Link(LinkError::BadSignature))?;
        let expires = UnixMillis(link.expires);
        self.links
            .check(key, expires, &link.signature)
            .map_err(Refused::Link)?;
        let place = place(&self.places).await?;
        let most = usize::try_from(MOST_FILE_BYTES).unwrap_or(usize::MAX);
        let file = self.bus.file(key, most).await.map_err(Refused::from)?;
        let headers = headers(key, &file, expires.since(clock::now()));
        Ok((
            headers,
            Bytes::from_owner(Held {
                bytes: file.bytes,
                _place: place,
            }),
        ))
    }
}

/// What is asked for of a file.
fn part(asked: &HeaderMap, file: Bytes) -> Response {
    let length = file.len();
    match range::wanted(asked, length) {
        Wanted::Whole => file.into_response(),
        Wanted::Part(range) => {
            let place = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            let content = [(header::CONTENT_RANGE, place)];
            (StatusCode::PARTIAL_CONTENT, content, file.slice(range)).into_response()
        }
        Wanted::Beyond => {
            let content = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, content).into_response()
        }
    }
}

async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refused> {
    match tokio::time::timeout(PLACE_WAIT, Arc::clone(places).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_)) | Err(_) => Err(Refused::Busy),
    }
}

fn headers(key: &str, file: &StoredBytes, good_for: Duration) -> HeaderMap {
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
    headers.insert(header::CONTENT_TYPE, file.mime_type.parse().unwrap_or(unknown));
    let saved = HeaderValue::from_static("attachment");
    headers.insert(
        header::CONTENT_DISPOSITION,
        disposition(key, &file.mime_type).parse().unwrap_or(saved),
    );
    let lifetime = format!("private, max-age={}", good_for.as_secs());
    let not_kept = HeaderValue::from_static("no-store");
    headers.insert(header::CACHE_CONTROL, lifetime.parse().unwrap_or(not_kept));
    headers
}

/// How a browser shows the file, and its name: the last part of the key, of which only harmless characters
/// are kept.
fn disposition(key: &str, mime_type: &str) -> String {
    let form = if SHOWN_IN_PLACE.contains(&mime_type) {
        "inline"
    } else {
        "attachment"
    };
    let last = key.rsplit('/').next().unwrap_or_default();
    let harmless = |c: char| {
        if c.is_ascii_alphanumeric() || "-_. ".contains(c) {
            c
        } else {
            '_'
        }
    };
    let name: String = last.chars().map(harmless).collect();
    format!("{form}; filename=\"{name}\"")
}

impl Refused {
    fn result(&self) -> ServeResult {
        match self {
            Self::Link(LinkError::BadSignature) => ServeResult::BadSignature,
            Self::Link(LinkError::Expired) => ServeResult::Expired,
            Self::Missing => ServeResult::Missing,
            Self::Busy | Self::Unavailable(_) => ServeResult::Unavailable,
        }
    }

    fn log(&self, key: &str) {
        match self {
            Self::Unavailable(error) => tracing::warn!(key, %error, "a file could not be served"),
            Self::Busy => tracing::warn!("refused to serve a file: too many at once"),
            Self::Link(_) | Self::Missing => tracing::debug!(key, reason = ?self, "refused to serve a file"),
        }
    }
}

impl From<ObjectError> for Refused {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Missing { .. } => Self::Missing,
            // A file that is being replaced is whole again in a moment.
            ObjectError::Incomplete | ObjectError::Bus(_) | ObjectError::TooLarge { .. } => {
                Self::Unavailable(error)
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Link(LinkError::BadSignature) => (StatusCode::FORBIDDEN, "the link is not valid\n"),
            Self::Link(LinkError::Expired) => (StatusCode::GONE, "the link has expired\n"),
            Self::Missing => (StatusCode::NOT_FOUND, "the file is gone\n"),
            Self::Busy | Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the file cannot be had now; try again\n",
            ),
        };
        let mut response = (status, [(header::CACHE_CONTROL, "no-store")], text).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER_SECS.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_shown_in_place() {
        assert_eq!(
            disposition("c/m/a.png", "image/png"),
            "inline; filename=\"a.png\""
        );
        for saved in ["image/svg+xml", "text/html", "application/pdf", ""] {
            assert_eq!(
                disposition("c/m/0", saved),
                "attachment; filename=\"0\"",
                "{saved}"
            );
        }
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(
            disposition("c/m/a\"; x\r\n\\é", "a/b"),
            "attachment; filename=\"a__ x____\""
        );
    }

    #[test]
    fn a_stored_type_that_is_no_header_is_unknown() {
        let file = StoredBytes {
            bytes: Bytes::new(),
            mime_type: "a/b\r\nx: y".to_owned(),
        };
        let headers = headers("k", &file, Duration::from_millis(59_999));
        assert_eq!(headers[header::CONTENT_TYPE], "application/octet-stream");
        assert_eq!(headers[header::CACHE_CONTROL], "private, max-age=59");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_finds_no_place_in_time_is_told_to_come_again() {
        let places = Arc::new(Semaphore::new(1));
        let taken = place(&places).await.unwrap();
        let refused = place(&places).await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
        drop(taken);
        assert!(place(&places).await.is_ok());
    }

    #[tokio::test]
    async fn a_file_keeps_its_place_until_it_is_sent() {
        let places = Arc::new(Semaphore::new(1));
        let held = Held {
            bytes: Bytes::from_static(b"x"),
            _place: place(&places).await.unwrap(),
        };
        let body = Bytes::from_owner(held);
        assert_eq!((places.available_permits(), &body[..]), (0, &b"x"[..]));
        drop(body);
        assert_eq!(places.available_permits(), 1);
    }
}
