//! Brings files in from URLs under the policy.

use std::time::Duration;

use bytes::Bytes;
use outbound::{CallFailure, Client, ReadError, call_class, error_text, read_capped};
use proto_schemas::content::{FileLocation, FileSource};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::inbound::media_type;
use crate::outgoing::SendError;
use crate::sniff::is_stray_page;

/// How long one file may take.
pub const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(120);

/// A file that was brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Downloaded {
    /// It.
    pub bytes: Bytes,
    /// Its media type: the one that was claimed, or else the one that the server named.
    pub mime_type: Option<String>,
}

/// Why a file cannot be had. `class` is one token; `detail` holds no secret and no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    /// Another try may help.
    #[error("{class}: {detail}")]
    Transient {
        /// The class.
        class: &'static str,
        /// In words.
        detail: String,
    },
    /// No further try helps.
    #[error("{class}: {detail}")]
    Permanent {
        /// The class.
        class: &'static str,
        /// In words.
        detail: String,
    },
}

/// Fetches a file of at most `max_bytes` from a URL that anyone may read. `name` and `mime_type` are what its
/// sender claims.
///
/// # Errors
/// [`DownloadError`] says whether another try may help.
pub async fn download_url(
    client: &Client,
    url: &str,
    name: &str,
    mime_type: Option<&str>,
    max_bytes: u64,
) -> Result<Downloaded, DownloadError> {
    let url = Url::parse(url).map_err(|_| DownloadError::permanent("bad_url", "the link is not a URL"))?;
    let request = client
        .request(Method::GET, &url)
        .map_err(|denied| DownloadError::permanent("denied", denied.to_string()))?;
    let response = request
        .timeout(DOWNLOAD_DEADLINE)
        .send()
        .await
        .map_err(unanswered)?;
    read_file(response, name, mime_type, max_bytes).await
}

/// Reads a file out of what a server answered.
pub(crate) async fn read_file(
    response: Response,
    name: &str,
    mime_type: Option<&str>,
    max_bytes: u64,
) -> Result<Downloaded, DownloadError> {
    check_status(response.status())?;
    let (served, claimed) = (served_type(&response), mime_type.and_then(media_type));
    let is_stray = |served: &String| is_stray_page(served, name, claimed.as_deref());
    if served.as_ref().is_some_and(is_stray) {
        return Err(DownloadError::permanent(
            "html_instead_of_file",
            "the server sent a web page",
        ));
    }
    let bytes = read(response, max_bytes).await?;
    Ok(Downloaded {
        bytes,
        mime_type: claimed.or(served),
    })
}

/// The platform's identifier of a file that lies with it.
pub(crate) fn platform_id(source: &FileSource) -> Result<&str, DownloadError> {
    match &source.location {
        FileLocation::Platform { file_id } => Ok(file_id),
        FileLocation::Url { .. } | FileLocation::Stored(_) => Err(DownloadError::misplaced()),
    }
}

/// The address of a file that lies somewhere on the web.
pub(crate) fn web_address(source: &FileSource) -> Result<&str, DownloadError> {
    match &source.location {
        FileLocation::Url { url } => Ok(url),
        FileLocation::Platform { .. } | FileLocation::Stored(_) => Err(DownloadError::misplaced()),
    }
}

async fn read(response: Response, max_bytes: u64) -> Result<Bytes, DownloadError> {
    let limit = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    read_capped(response, limit).await.map_err(|error| match error {
        ReadError::TooLarge { .. } => DownloadError::too_large(max_bytes),
        ReadError::Failed { class, detail } => DownloadError::transient(class.as_str(), detail),
    })
}

fn check_status(status: StatusCode) -> Result<(), DownloadError> {
    let detail = format!("HTTP {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        429 => Err(DownloadError::transient("rate_limited", detail)),
        408 | 425 | 421 | 500..=599 => Err(DownloadError::transient("server_error", detail)),
        404 | 410 => Err(DownloadError::permanent("not_found", detail)),
        300..=399 => Err(DownloadError::permanent("redirected", detail)),
        _ => Err(DownloadError::permanent("refused", detail)),
    }
}

fn served_type(response: &Response) -> Option<String> {
    response
        .headers()
        .get(CONTENT_TYPE)?
        .to_str()
        .ok()
        .and_then(media_type)
}

pub(crate) fn unanswered(error: reqwest::Error) -> DownloadError {
    match call_class(&error) {
        class @ CallFailure::Denied => DownloadError::permanent(class.as_str(), error_text(error)),
        class @ (CallFailure::Timeout
        | CallFailure::Dns
        | CallFailure::Connect
        | CallFailure::Tls
        | CallFailure::Body
        | CallFailure::Other) => DownloadError::transient(class.as_str(), error_text(error)),
    }
}

impl DownloadError {
    pub(crate) fn transient(class: &'static str, detail: impl Into<String>) -> Self {
        Self::Transient {
            class,
            detail: detail.into(),
        }
    }

    pub(crate) fn permanent(class: &'static str, detail: impl Into<String>) -> Self {
        Self::Permanent {
            class,
            detail: detail.into(),
        }
    }

    pub(crate) fn too_large(max_bytes: u64) -> Self {
        Self::permanent("too_large", format!("the file is larger than {max_bytes} bytes"))
    }

    /// Nothing, if a file of this size may be brought in; it may not be known yet.
    pub(crate) fn unless_fits(bytes: Option<u64>, limit: u64) -> Result<(), Self> {
        match bytes {
            Some(bytes) if bytes > limit => Err(Self::too_large(limit)),
            Some(_) | None => Ok(()),
        }
    }

    /// The file is not where this channel could look for it: a mistake of the caller.
    pub(crate) fn misplaced() -> Self {
        Self::permanent(
            "misplaced",
            "the file is not at a place that this channel can fetch from",
        )
    }
}

impl From<SendError> for DownloadError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::RateLimited { detail, .. } => Self::transient("rate_limited", detail),
            SendError::Transient { class, detail, .. } => Self::Transient { class, detail },
            SendError::Permanent { class, detail } => Self::Permanent { class, detail },
        }
    }
}
