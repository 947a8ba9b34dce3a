//! The HTTP client of the services under `object_store`: one TLS configuration, one policy, HTTP/1.1 only.

use std::fmt;

use async_trait::async_trait;
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use outbound::{CallFailure, Client, call_class, error_text};
use reqwest::Body;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};
use url::Url;

/// Hands our client to `object_store`.
#[derive(Debug, Clone)]
pub(crate) struct Connector(pub(crate) Client);

/// Why there was no answer; holds no URL.
#[derive(Debug)]
pub(crate) struct CallFailed(String);

impl fmt::Display for CallFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CallFailed {}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let not_made = |cause: String| HttpError::new(HttpErrorKind::Unknown, CallFailed(cause));
        let url = Url::parse(&head.uri.to_string()).map_err(|error| not_made(error.to_string()))?;
        let begun = self
            .0
            .request(head.method, &url)
            .map_err(|denied| not_made(denied.to_string()))?;
        let body = body.collect().await?.to_bytes();
        let request = begun
            .headers(head.headers)
            // A part of a file is a part of the bytes as they were stored.
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .body(body);
        let response = self.0.send(request).await.map_err(failed)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = HttpResponseBody::new(Body::from(response).map_err(failed));
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// Says which failures `object_store` may repeat at once. A file is the same each time, so repeating is harmless.
fn failed(error: reqwest::Error) -> HttpError {
    let kind = match call_class(&error) {
        CallFailure::Timeout => HttpErrorKind::Timeout,
        CallFailure::Dns | CallFailure::Connect => HttpErrorKind::Connect,
        CallFailure::Body => HttpErrorKind::Interrupted,
        CallFailure::Other => HttpErrorKind::Request,
        CallFailure::Denied | CallFailure::Tls => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, CallFailed(error_text(error)))
}
