//! The request of one attempt: headers and signature around a body.

use bus::TraceContext;
use bytes::Bytes;
use outbound::signature::{self, SigningKey};
use proto_schemas::ids::UnixMillis;
use proto_schemas::turn::Turn;
use proto_schemas::wire::TRACEPARENT;
use registry::{HeaderValue, Integration, Secret, SecretRef};
use reqwest::header::{self, HeaderMap, HeaderName};

use crate::error::CallError;
use crate::format::Dialect;

/// What webhooks see as our name and version.
const USER_AGENT: &str = concat!("ChatbotPlatform/", env!("CARGO_PKG_VERSION"));

/// Stands for a secret where a text is shown.
pub(crate) const SECRET: &str = "[secret]";

/// An attempt, ready to be sent.
pub(crate) struct Prepared {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) secrets: SentSecrets,
    /// What the answer will be read as.
    pub(crate) dialect: Dialect,
}

/// The secrets that stand in a request's headers. Some webhooks repeat the key that they refuse, so they are
/// taken out of what an answer says of an error.
///
/// The longest stand first: a shorter one may be the beginning of a longer one.
#[derive(Clone, Default)]
pub(crate) struct SentSecrets(Vec<Secret>);

impl SentSecrets {
    fn keep(&mut self, secret: Secret) {
        let longer = |kept: &Secret| kept.expose().len() > secret.expose().len();
        let place = self.0.partition_point(longer);
        self.0.insert(place, secret);
    }

    pub(crate) fn redact(&self, text: String) -> String {
        self.0
            .iter()
            .fold(text, |text, secret| text.replace(secret.expose(), SECRET))
    }
}

/// Writes the request of an attempt. `webhook-id` is the turn: the same for every attempt.
///
/// # Errors
/// [`CallError`] when a secret cannot be read now, or a header's value is not one.
pub(crate) fn prepare(
    turn: &Turn,
    mut body: Vec<u8>,
    integration: &Integration,
    attempt: u32,
    now: UnixMillis,
    trace: TraceContext,
) -> Result<Prepared, CallError> {
    // It is kept until the answer is there.
    body.shrink_to_fit();
    let (mut headers, mut secrets) = (HeaderMap::new(), SentSecrets::default());
    let dialect = Dialect::of(&integration.format);
    for (name, value) in dialect.headers() {
        set(&mut headers, name, value)?;
    }
    for (name, value) in &integration.headers {
        set(&mut headers, name, &text_of(value, &mut secrets)?)?;
    }
    let timestamp = now.as_secs();
    set(&mut headers, header::CONTENT_TYPE.as_str(), "application/json")?;
    set(&mut headers, header::USER_AGENT.as_str(), USER_AGENT)?;
    set(
        &mut headers,
        "x-chatbot-platform-version",
        env!("CARGO_PKG_VERSION"),
    )?;
    set(&mut headers, "x-bot-id", turn.bot.as_str())?;
    set(&mut headers, "x-integration-id", integration.id.as_str())?;
    set(&mut headers, "x-attempt", &attempt.to_string())?;
    set(&mut headers, TRACEPARENT, &trace.to_string())?;
    set(&mut headers, signature::WEBHOOK_ID, turn.id.as_str())?;
    set(&mut headers, signature::WEBHOOK_TIMESTAMP, &timestamp.to_string())?;
    let signatures = [&integration.signing_secret, &integration.previous_signing_secret]
        .into_iter()
        .flatten()
        .map(|reference| {
            Ok(signature::sign(
                &key(reference)?,
                turn.id.as_str(),
                timestamp,
                &body,
            ))
        })
        .collect::<Result<Vec<String>, CallError>>()?;
    if !signatures.is_empty() {
        set(&mut headers, signature::WEBHOOK_SIGNATURE, &signatures.join(" "))?;
    }
    Ok(Prepared {
        headers,
        body: body.into(),
        secrets,
        dialect,
    })
}

fn text_of(value: &HeaderValue, secrets: &mut SentSecrets) -> Result<String, CallError> {
    match value {
        HeaderValue::Plain(text) => Ok(text.clone()),
        HeaderValue::Secret {
            prefix,
            secret: reference,
        } => {
            let secret = secret(reference)?;
            let text = format!("{prefix}{}", secret.expose());
            secrets.keep(secret);
            Ok(text)
        }
    }
}

/// An operator may mend a missing secret, so the attempt is repeated.
fn secret(reference: &SecretRef) -> Result<Secret, CallError> {
    let resolved = reference.resolve();
    resolved.map_err(|error| CallError::passing("secret_unavailable", error.to_string()))
}

fn key(reference: &SecretRef) -> Result<SigningKey, CallError> {
    SigningKey::parse(secret(reference)?.expose())
        .map_err(|error| CallError::passing("secret_unavailable", format!("{reference}: {error}")))
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), CallError> {
    let bad = || CallError::terminal("bad_header", format!("header {name:?} cannot be sent"));
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    let mut value = header::HeaderValue::from_str(value).map_err(|_| bad())?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests;
