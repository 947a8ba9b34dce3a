//! Serves stored files to whoever holds a link that we signed.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use channels::sniffed_type;
use domain::files::split_path;
use domain::links::{LinkError, Linked};
use files::{FileError, Files};
use proto_schemas::ids::UnixMillis;
use runtime::clock;
use runtime::links::Links;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::MOST_FILE_BYTES;
use crate::headers::headers;
use crate::metrics::{FetchMetrics, ServeResult};
use crate::range::{self, Wanted};

/// How long a request waits for others to be served.
const PLACE_WAIT: Duration = Duration::from_secs(5);
/// When to ask again while the broker is away or there is too much to do, in seconds.
const RETRY_AFTER_SECS: u64 = 1;
/// Serves files.
pub(crate) struct FileServer {
    files: Files,
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
    Unavailable(FileError),
}

#[derive(Deserialize)]
struct LinkQuery {
    #[serde(rename = "type")]
    mime_type: Option<String>,
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
        .route("/files/{*path}", get(serve))
        .with_state(server)
}

async fn serve(
    State(server): State<Arc<FileServer>>,
    Path(path): Path<String>,
    query: Result<Query<LinkQuery>, QueryRejection>,
    asked: HeaderMap,
) -> Response {
    match server
        .answer(&path, query.ok().map(|Query(link)| link), &asked)
        .await
    {
        Ok(response) => {
            server.metrics.served(ServeResult::Served);
            response
        }
        Err(refused) => {
            refused.log(&path);
            server.metrics.served(refused.result());
            refused.into_response()
        }
    }
}

impl FileServer {
    pub(crate) fn new(
        files: Files,
        links: Links,
        metrics: FetchMetrics,
        max_concurrent_reads: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            files,
            links,
            metrics,
            places: Arc::new(Semaphore::new(max_concurrent_reads)),
        })
    }

    async fn answer(
        &self,
        path: &str,
        link: Option<LinkQuery>,
        asked: &HeaderMap,
    ) -> Result<Response, Refused> {
        let link = link.ok_or(Refused::Link(LinkError::BadSignature))?;
        let expires = UnixMillis(link.expires);
        let linked = Linked {
            path,
            mime_type: link.mime_type.as_deref(),
            expires,
        };
        self.links.check(linked, &link.signature).map_err(Refused::Link)?;
        let place = place(&self.places).await?;
        let (key, name) = split_path(path);
        let found = self.find(key, asked).await?;
        // A link that names no type is older than this version.
        let mime_type = link.mime_type.unwrap_or_else(|| sniffed_type(&found.bytes, None));
        let headers = headers(name, &mime_type, expires.since(clock::now()));
        Ok((headers, found.into_response(place)).into_response())
    }

    /// What is asked for of a file. Its size is asked for only where it is needed to know.
    async fn find(&self, key: &str, asked: &HeaderMap) -> Result<Found, Refused> {
        let most = usize::try_from(MOST_FILE_BYTES).unwrap_or(usize::MAX);
        let wanted = if asked.contains_key(header::RANGE) {
            let length = self.files.size(key).await?;
            (range::wanted(asked, length), length)
        } else {
            (Wanted::Whole, 0)
        };
        Ok(match wanted {
            (Wanted::Whole, _) => Found {
                status: StatusCode::OK,
                range: None,
                bytes: self.files.read(key, most).await?,
            },
            (Wanted::Part(part), length) => Found {
                status: StatusCode::PARTIAL_CONTENT,
                range: Some(format!("bytes {}-{}/{length}", part.start, part.end - 1)),
                bytes: self.files.read_part(key, part, most).await?,
            },
            (Wanted::Beyond, length) => Found {
                status: StatusCode::RANGE_NOT_SATISFIABLE,
                range: Some(format!("bytes */{length}")),
                bytes: Bytes::new(),
            },
        })
    }
}

/// What is sent of a file.
struct Found {
    status: StatusCode,
    /// Which part of the file that is, if it is not all of it.
    range: Option<String>,
    bytes: Bytes,
}

impl Found {
    fn into_response(self, place: OwnedSemaphorePermit) -> Response {
        let range = self.range.map(|range| [(header::CONTENT_RANGE, range)]);
        let body = Bytes::from_owner(Held {
            bytes: self.bytes,
            _place: place,
        });
        match range {
            Some(range) => (self.status, range, body).into_response(),
            None => (self.status, body).into_response(),
        }
    }
}

async fn place(places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Refused> {
    match tokio::time::timeout(PLACE_WAIT, Arc::clone(places).acquire_owned()).await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_)) | Err(_) => Err(Refused::Busy),
    }
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

impl From<FileError> for Refused {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Missing { .. } => Self::Missing,
            // A file that is being replaced is whole again in a moment.
            FileError::Incomplete | FileError::Unavailable(_) | FileError::TooLarge { .. } => {
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
