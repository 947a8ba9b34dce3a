//! A call as the Web API takes it: a JSON body or a form, with a bearer token.

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use bytes::Bytes;
use reqwest::Url;
use serde_json::{Map, Value};

use super::api::{FILE, UPLOAD};

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    /// The method, [`UPLOAD`] or [`FILE`].
    pub(super) method: String,
    /// What stands behind the method in the path: the identifier of a file.
    pub(super) target: String,
    /// Where it was sent to, without a slash at the end.
    pub(super) base: String,
    bearer: Option<String>,
    parameters: Map<String, Value>,
    pub(super) body: Bytes,
}

/// Whether the caller may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    Yes,
    /// It showed no token.
    Unknown,
    /// It showed another one.
    No,
}

impl Call {
    pub(super) async fn read(request: Request) -> Self {
        let (head, body) = request.into_parts();
        let (method, target) = addressed(head.uri.path());
        let header = |name| head.headers.get(name)?.to_str().ok().map(str::to_owned);
        let bearer = header(AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
        let content_type = header(CONTENT_TYPE).unwrap_or_default();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let parameters = match content_type.split(';').next().unwrap_or_default() {
            "application/json" => serde_json::from_slice(&body).unwrap_or_default(),
            "application/x-www-form-urlencoded" => form(&body),
            _ => Map::new(),
        };
        Self {
            method,
            target,
            base: format!("http://{}", header(HOST).unwrap_or_default()),
            bearer,
            parameters,
            body,
        }
    }

    pub(super) fn may(&self, token: &str) -> May {
        match &self.bearer {
            None => May::Unknown,
            Some(bearer) if bearer == token => May::Yes,
            Some(_) => May::No,
        }
    }

    /// A text; none when it is absent or empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.parameters
            .get(name)?
            .as_str()
            .filter(|text| !text.is_empty())
    }

    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.parameters.get(name)
    }
}

/// Reads `/api/<method>`, `/upload/v1/<file>` or `/files-pri/<file>`.
fn addressed(path: &str) -> (String, String) {
    for (prefix, method) in [("/upload/v1/", UPLOAD), ("/files-pri/", FILE)] {
        if let Some(file) = path.strip_prefix(prefix) {
            return (method.to_owned(), file.to_owned());
        }
    }
    let method = path.strip_prefix("/api/").unwrap_or(path);
    (method.to_owned(), String::new())
}

/// A form is written as the query of an address is.
fn form(body: &[u8]) -> Map<String, Value> {
    let address = format!("http://form/?{}", String::from_utf8_lossy(body));
    let address = Url::parse(&address).expect("any text is a query");
    let fields = address.query_pairs();
    fields
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect()
}
