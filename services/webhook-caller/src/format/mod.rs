//! What a backend speaks: how a turn is asked, and how the answer or the refusal is read.
//!
//! All of it is pure. A format is chosen by the integration; everything around it (headers, signature, limits,
//! retries) is the same for all.

mod anthropic;
mod conversation;
mod openai;
mod platform;
mod refusal;
mod reset;

use std::time::Duration;

use domain::payload;
use outbound::retry_after;
use proto_schemas::content::StoredFile;
use proto_schemas::context::TurnResult;
use proto_schemas::ids::UnixMillis;
use proto_schemas::turn::Turn;
use registry::Format;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::CallError;
use crate::request::SentSecrets;

/// A format without its settings: all that an answer needs to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// The guide's.
    #[default]
    Platform,
    /// OpenAI's chat completions.
    Openai,
    /// Anthropic's messages.
    Anthropic,
}

/// The body that asks a turn's question; none for a turn that asks nobody. `link` gives the address that a
/// stored file is served at.
pub(crate) fn body(
    turn: &Turn,
    format: &Format,
    link: impl Fn(&StoredFile) -> String,
) -> Option<Result<Vec<u8>, CallError>> {
    let body = match format {
        Format::Platform => json(&payload::webhook_request(turn, link)?),
        Format::Openai(settings) => json(&openai::request(conversation::of(turn, link)?, settings)),
        Format::Anthropic(settings) => json(&anthropic::request(conversation::of(turn, link)?, settings)),
    };
    Some(body)
}

fn json(request: &impl Serialize) -> Result<Vec<u8>, CallError> {
    serde_json::to_vec(request)
        .map_err(|error| CallError::terminal("bad_header", format!("the payload has no JSON form: {error}")))
}

impl Dialect {
    pub(crate) fn of(format: &Format) -> Self {
        match format {
            Format::Platform => Self::Platform,
            Format::Openai(_) => Self::Openai,
            Format::Anthropic(_) => Self::Anthropic,
        }
    }

    /// Headers that the API asks for, unless the integration has its own.
    pub(crate) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Platform | Self::Openai => &[],
            Self::Anthropic => &[("anthropic-version", anthropic::VERSION)],
        }
    }

    /// Reads a 2xx body.
    ///
    /// # Errors
    /// [`CallError`]: the same answer would be unusable again, so all are terminal.
    pub(crate) fn reply(self, body: &[u8]) -> Result<TurnResult, CallError> {
        match self {
            Self::Platform => platform::reply(body),
            Self::Openai => openai::reply(body),
            Self::Anthropic => anthropic::reply(body),
        }
    }

    /// Reads an answer that is not 2xx. The text is without the request's secrets.
    pub(crate) fn refusal(
        self,
        status: u16,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &SentSecrets,
        now: UnixMillis,
    ) -> CallError {
        let asked_for = retry_after(headers, now.as_secs());
        let (said, not_before) = match self {
            Self::Platform => (platform::said(body), asked_for),
            Self::Openai => (
                refusal::said(body),
                asked_for.or_else(|| until_reset(status, headers)),
            ),
            Self::Anthropic => (refusal::said(body), asked_for),
        };
        let said = refusal::shown(said, body, secrets);
        let error = CallError::status(status, format!("HTTP {status}: {said}"), not_before);
        match self {
            Self::Openai if openai::is_out_of_quota(status, body) => error.for_good("insufficient_quota"),
            Self::Openai | Self::Platform | Self::Anthropic => error,
        }
    }
}

/// The limits' own headers come with every answer; only with a 429 do they say when to come again.
fn until_reset(status: u16, headers: &HeaderMap) -> Option<Duration> {
    if status == 429 { reset::wait(headers) } else { None }
}

/// Reads a 2xx body as the shape that a format has.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, CallError> {
    // Told apart, as the remedy is another: an encoding, and not what is in it.
    let text = std::str::from_utf8(body)
        .map_err(|error| CallError::terminal("not_utf8", format!("the reply is not UTF-8: {error}")))?;
    let value: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| CallError::terminal("not_json", format!("the reply is not JSON: {error}")))?;
    serde_json::from_value(value)
        .map_err(|error| CallError::terminal("no_content", format!("the reply has the wrong shape: {error}")))
}

/// What is said, or nothing to say when that is blank. What else the API told goes into the metadata.
fn spoken(text: String, told: [(&str, Option<serde_json::Value>); 4]) -> TurnResult {
    if text.trim().is_empty() {
        return TurnResult::NoReply;
    }
    let told = told
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    TurnResult::Reply {
        content: text,
        attachments: Vec::new(),
        buttons: Vec::new(),
        metadata: Some(told.collect()),
    }
}

/// Why a model says nothing, when that is no decision of its own.
enum Silence {
    /// It wants a tool called, and there are none.
    ToolCall,
    /// It spent all the tokens it had before the first word, as models do that think first.
    OutOfTokens,
}

impl From<Silence> for CallError {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::ToolCall => Self::terminal("tool_call", "the model asks for a tool and says nothing"),
            Silence::OutOfTokens => Self::terminal(
                "out_of_tokens",
                "the model used up `max_tokens` before it said anything",
            ),
        }
    }
}

#[cfg(test)]
mod tests;
