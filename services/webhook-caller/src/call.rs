//! One HTTP call, under one deadline.

use std::time::Duration;

use outbound::{Client, call_class, error_text, read_capped};
use proto_schemas::context::TurnResult;
use reqwest::{Method, Response, StatusCode};
use runtime::clock;
use url::Url;

use crate::error::CallError;
use crate::format::Dialect;
use crate::request::{Prepared, SentSecrets};

/// The largest reply, decoded. Twice this and the history must fit into one context record.
const MAX_REPLY_BYTES: usize = 256 * 1024;
/// How much of an error's body is read.
const MAX_ERROR_BYTES: usize = 8 * 1024;

/// Makes the call, and returns the status besides the reply. `timeout` covers connecting, TLS, headers and body.
///
/// # Errors
/// [`CallError`] with its class and fate.
pub(crate) async fn call(
    client: &Client,
    url: &Url,
    timeout: Duration,
    prepared: Prepared,
) -> Result<(u16, TurnResult), CallError> {
    let request = client
        .request(Method::POST, url)
        .map_err(|denied| CallError::terminal("denied", denied.to_string()))?
        .headers(prepared.headers)
        .body(prepared.body)
        .timeout(timeout);
    let response = client
        .send(request)
        .await
        .map_err(|error| CallError::network(call_class(&error), error_text(error)))?;
    let status = response.status();
    let reply = match status {
        StatusCode::NO_CONTENT => Ok(TurnResult::NoReply),
        status if status.is_success() => {
            let body = read_capped(response, MAX_REPLY_BYTES).await;
            let body = body.map_err(|error| CallError::body(error, status.as_u16()))?;
            prepared.dialect.reply(&body).map_err(|error| CallError {
                status: Some(status.as_u16()),
                detail: prepared.secrets.redact(error.detail),
                ..error
            })
        }
        _ => Err(refusal(response, prepared.dialect, &prepared.secrets).await),
    };
    reply.map(|reply| (status.as_u16(), reply))
}

async fn refusal(response: Response, dialect: Dialect, secrets: &SentSecrets) -> CallError {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    // A body that cannot be read says nothing; the status counts.
    let body = read_capped(response, MAX_ERROR_BYTES).await.unwrap_or_default();
    dialect.refusal(status, &headers, &body, secrets, clock::now())
}
