//! Calls of the Bot API and what their failures mean (`channels.md`, section 2.6).

use std::time::Duration;

use outbound::{MAX_RETRY_AFTER, ReadError, read_capped, retry_after};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::outgoing::{DEFAULT_PAUSE, MAX_ANSWER_BYTES, SendError};

/// How much of Telegram's description goes into an error text.
const MAX_DETAIL_CHARS: usize = 200;

/// What the descriptions of a 400 mean for us; matched by prefix, in lower case, behind `bad request: `.
const REFUSALS: [(&str, &str); 26] = [
    ("chat not found", "chat_not_found"),
    ("private chat not found", "chat_not_found"),
    ("chat_id is empty", "chat_not_found"),
    ("group is deactivated", "chat_not_found"),
    ("group chat was upgraded", "chat_migrated"),
    ("message thread not found", "thread_not_found"),
    ("topic_closed", "thread_not_found"),
    ("not enough rights", "no_rights"),
    ("need administrator rights", "no_rights"),
    ("chat_admin_required", "no_rights"),
    ("have no rights", "no_rights"),
    ("message to be replied not found", "question_not_found"),
    ("message text is empty", "message_refused"),
    ("message is too long", "message_refused"),
    ("can't parse entities", "entities_refused"),
    ("receive an entity", "entities_refused"),
    ("entity begin", "entities_refused"),
    ("entity_text_invalid", "entities_refused"),
    ("message_too_long", "message_refused"),
    ("button_data_invalid", "buttons_refused"),
    ("button_url_invalid", "buttons_refused"),
    ("inline keyboard button", "buttons_refused"),
    ("photo_invalid_dimensions", "photo_refused"),
    ("image_process_failed", "photo_refused"),
    ("file is too big", "too_large"),
    ("invalid file_id", "file_not_found"),
];

/// A 400 that passes: Telegram does not tell a file that is gone from one that is away for a moment.
const PASSING: &str = "wrong file_id or the file is temporarily unavailable";

/// A call that Telegram did not carry out.
pub(super) enum CallError {
    /// It was refused.
    Refused(Refused),
    /// There is no answer, or none that can be read.
    Unanswered(SendError),
}

/// Telegram's refusal.
pub(super) struct Refused {
    status: u16,
    description: String,
    retry_after: Option<Duration>,
    /// The supergroup that the group has become.
    pub(super) migrated_to: Option<i64>,
}

#[derive(Deserialize)]
struct Answer<T> {
    ok: bool,
    result: Option<T>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl CallError {
    /// What it means for sending.
    pub(super) fn verdict(self) -> SendError {
        match self {
            Self::Refused(refused) => refused.verdict(),
            Self::Unanswered(error) => error,
        }
    }
}

impl From<outbound::Denied> for CallError {
    fn from(denied: outbound::Denied) -> Self {
        Self::Unanswered(denied.into())
    }
}

/// Makes a call and reads its result.
pub(super) async fn call<T: DeserializeOwned>(
    request: RequestBuilder,
    now_secs: u64,
) -> Result<T, CallError> {
    let unanswered = |error| CallError::Unanswered(SendError::unanswered(error));
    let response = request.send().await.map_err(unanswered)?;
    let status = response.status().as_u16();
    let wait = retry_after(response.headers(), now_secs);
    let body = read_capped(response, MAX_ANSWER_BYTES).await;
    let answer = match &body {
        Ok(body) => serde_json::from_slice::<Answer<T>>(body).ok(),
        Err(ReadError::TooLarge { .. } | ReadError::Failed { .. }) => None,
    };
    match answer {
        Some(Answer {
            ok: true,
            result: Some(result),
            ..
        }) => Ok(result),
        Some(answer) => Err(CallError::Refused(refused(status, answer, wait))),
        // A proxy or a server in trouble: the status says all there is to know.
        None if !(200..300).contains(&status) => Err(CallError::Refused(Refused {
            status,
            description: format!("HTTP {status}"),
            retry_after: wait,
            migrated_to: None,
        })),
        None => Err(CallError::Unanswered(SendError::transient(
            "bad_answer",
            "the answer cannot be read",
        ))),
    }
}

fn refused<T>(status: u16, answer: Answer<T>, wait: Option<Duration>) -> Refused {
    let parameters = answer.parameters.unwrap_or(Parameters {
        retry_after: None,
        migrate_to_chat_id: None,
    });
    let seconds = parameters
        .retry_after
        .map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    Refused {
        status: answer.error_code.unwrap_or(status),
        description: answer.description.unwrap_or_else(|| format!("HTTP {status}")),
        retry_after: seconds.or(wait),
        migrated_to: parameters.migrate_to_chat_id,
    }
}

impl Refused {
    /// Whether Telegram cannot make a photo of the file; as a document it may go.
    pub(super) fn is_about_the_photo(&self) -> bool {
        self.status == 400 && refusal_class(&self.description) == "photo_refused"
    }

    /// Whether Telegram does not understand how the text is formatted; without that it may go.
    pub(super) fn is_about_the_entities(&self) -> bool {
        self.status == 400 && refusal_class(&self.description) == "entities_refused"
    }

    /// Whether Telegram does not take the buttons; without them the part may go.
    pub(super) fn is_about_the_buttons(&self) -> bool {
        self.status == 400 && refusal_class(&self.description) == "buttons_refused"
    }

    fn verdict(self) -> SendError {
        let detail: String = self.description.chars().take(MAX_DETAIL_CHARS).collect();
        match self.status {
            429 => SendError::RateLimited {
                retry_after: self.retry_after.unwrap_or(DEFAULT_PAUSE),
                is_global: false,
                detail,
            },
            408 | 421 | 500..=599 => SendError::transient("server_error", detail),
            // With a wrong token Telegram finds no method at all.
            401 | 404 => SendError::permanent("unauthorized", detail),
            403 => SendError::permanent("forbidden", detail),
            409 => SendError::permanent("conflict", detail),
            413 => SendError::permanent("too_large", detail),
            400 if bare(&self.description).starts_with(PASSING) => {
                SendError::not_begun("file_unavailable", detail)
            }
            400 => SendError::permanent(refusal_class(&self.description), detail),
            // Success without a result is none; anything else is not in the book.
            200..=299 => SendError::transient("bad_answer", detail),
            _ => SendError::permanent("refused", detail),
        }
    }
}

fn bare(description: &str) -> String {
    let lower = description.to_lowercase();
    lower.strip_prefix("bad request: ").unwrap_or(&lower).to_owned()
}

fn refusal_class(description: &str) -> &'static str {
    let description = bare(description);
    let found = REFUSALS
        .iter()
        .find(|(prefix, _)| description.starts_with(prefix));
    found.map_or("refused", |(_, class)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> SendError {
        refused::<()>(status, serde_json::from_str(body).unwrap(), None).verdict()
    }

    fn class(status: u16, description: &str) -> String {
        let body = serde_json::json!({"ok": false, "error_code": status, "description": description});
        match verdict(status, &body.to_string()) {
            SendError::RateLimited { retry_after, .. } => format!("wait {}", retry_after.as_secs()),
            SendError::Transient { class, .. } => format!("transient {class}"),
            SendError::Permanent { class, .. } => format!("permanent {class}"),
        }
    }

    #[test]
    fn each_refusal_has_its_class() {
        for (status, description, expected) in [
            (401, "Unauthorized", "permanent unauthorized"),
            (404, "Not Found", "permanent unauthorized"),
            (
                403,
                "Forbidden: bot was blocked by the user",
                "permanent forbidden",
            ),
            (400, "Bad Request: chat not found", "permanent chat_not_found"),
            (
                400,
                "Bad Request: message thread not found",
                "permanent thread_not_found",
            ),
            (400, "Bad Request: TOPIC_CLOSED", "permanent thread_not_found"),
            (
                400,
                "Bad Request: not enough rights to send text messages",
                "permanent no_rights",
            ),
            (
                400,
                "Bad Request: message to be replied not found",
                "permanent question_not_found",
            ),
            (
                400,
                "Bad Request: message is too long",
                "permanent message_refused",
            ),
            (
                400,
                "Bad Request: PHOTO_INVALID_DIMENSIONS",
                "permanent photo_refused",
            ),
            (
                400,
                "Bad Request: can't parse entities: unsupported type",
                "permanent entities_refused",
            ),
            (
                400,
                "Bad Request: BUTTON_URL_INVALID",
                "permanent buttons_refused",
            ),
            (
                400,
                "Bad Request: entity begins in a middle of a UTF-16 symbol at byte offset 4",
                "permanent entities_refused",
            ),
            (400, "Bad Request: something new", "permanent refused"),
            (
                400,
                "Bad Request: wrong file_id or the file is temporarily unavailable",
                "transient file_unavailable",
            ),
            (
                409,
                "Conflict: terminated by other getUpdates request",
                "permanent conflict",
            ),
            (413, "Request Entity Too Large", "permanent too_large"),
            (421, "Misdirected Request", "transient server_error"),
            (500, "Internal Server Error", "transient server_error"),
            (502, "Bad Gateway", "transient server_error"),
            (302, "Found", "permanent refused"),
        ] {
            assert_eq!(class(status, description), expected, "{status} {description}");
        }
    }

    #[test]
    fn a_pause_is_taken_from_the_body_and_capped() {
        let body = |seconds: u64| {
            format!(
                r#"{{"ok":false,"error_code":429,"description":"x","parameters":{{"retry_after":{seconds}}}}}"#
            )
        };
        let pause = |body: &str| match verdict(429, body) {
            SendError::RateLimited { retry_after, .. } => retry_after,
            other @ (SendError::Transient { .. } | SendError::Permanent { .. }) => panic!("{other}"),
        };
        assert_eq!(pause(&body(37)), Duration::from_secs(37));
        assert_eq!(pause(&body(3600)), MAX_RETRY_AFTER);
        assert_eq!(pause(&body(3601)), MAX_RETRY_AFTER);
        assert_eq!(pause(r#"{"ok":false,"error_code":429}"#), DEFAULT_PAUSE);
    }

    #[test]
    fn a_long_description_is_cut() {
        let long = "é".repeat(MAX_DETAIL_CHARS + 1);
        let body = serde_json::json!({"ok": false, "error_code": 400, "description": long}).to_string();
        let text = verdict(400, &body).to_string();
        assert_eq!(text.matches('é').count(), MAX_DETAIL_CHARS);
    }
}
