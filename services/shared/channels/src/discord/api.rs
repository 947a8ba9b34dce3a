//! Calls of the REST API and what their failures mean (`channels.md`, sections 4.5.8 and 4.6).

use std::time::Duration;

use bytes::Bytes;
use outbound::{Denied, MAX_RETRY_AFTER, ReadError, read_capped, retry_after};
use reqwest::RequestBuilder;
use serde::Deserialize;

use crate::outgoing::{MAX_ANSWER_BYTES, SendError};

/// How much of what Discord says of a failure goes into an error text.
const MAX_DETAIL_CHARS: usize = 200;
/// The pause when Discord asks for one without saying how long: most of its limits count five seconds.
const UNSAID_PAUSE: Duration = Duration::from_secs(5);

/// The token, or the application, may not do it.
const UNAUTHORIZED: [u64; 4] = [40001, 50014, 10002, 40333];
/// The way back of an interaction is closed, or takes no more; the channel may take it.
const WAY_BACK_CLOSED: [u64; 4] = [UNKNOWN_INTERACTION, UNKNOWN_WEBHOOK, 50027, 40094];
const UNKNOWN_MESSAGE: u64 = 10008;
const UNKNOWN_WEBHOOK: u64 = 10015;
const UNKNOWN_INTERACTION: u64 = 10062;
const INVALID_FORM: u64 = 50035;
/// The channel is not there, or not for us.
const CHAT_REFUSED: [u64; 17] = [
    10003, 10004, 10013, 40002, 40007, 40058, 50001, 50007, 50008, 50013, 50024, 50083, 50178, 50278, 160005,
    340015, 400001,
];
/// The message itself will not do.
const MESSAGE_REFUSED: [u64; 9] = [
    UNKNOWN_MESSAGE,
    20009,
    50005,
    50006,
    INVALID_FORM,
    50109,
    160002,
    200000,
    240000,
];
/// The file is not taken.
const FILE_REFUSED: [u64; 4] = [30015, 50046, 50110, 50123];
const TOO_LARGE: [u64; 2] = [40005, 50045];
/// Too much was written: by us, in this channel, or to it in its slow mode.
const RATE_LIMITED: [u64; 6] = [20016, 20028, 20029, 30046, 40003, 40062];
/// It passes by itself.
const SERVER_ERROR: [u64; 4] = [40004, 40006, 110000, 130000];

/// A call that Discord did not carry out.
pub(super) enum CallError {
    /// It was refused.
    Refused(Refused),
    /// There is no answer, or none that can be read.
    Unanswered(SendError),
}

/// Discord's refusal.
pub(super) struct Refused {
    status: u16,
    /// 0 when Discord, or who stands before it, names none.
    code: u64,
    message: String,
    wait: Option<Duration>,
    /// Whether a pause is for the whole bot.
    is_global: bool,
}

#[derive(Deserialize, Default)]
struct ErrorBody {
    code: Option<u64>,
    message: Option<String>,
    /// In seconds.
    retry_after: Option<f64>,
    global: Option<bool>,
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

impl From<Denied> for CallError {
    fn from(denied: Denied) -> Self {
        Self::Unanswered(denied.into())
    }
}

/// Makes a call and returns the body of its answer.
pub(super) async fn call(request: RequestBuilder, now_secs: u64) -> Result<Bytes, CallError> {
    let unanswered = |error| CallError::Unanswered(SendError::unanswered(error));
    let response = request.send().await.map_err(unanswered)?;
    let status = response.status().as_u16();
    let wait = retry_after(response.headers(), now_secs);
    match (status, read_capped(response, MAX_ANSWER_BYTES).await) {
        (200..=299, Ok(body)) => Ok(body),
        (200..=299, Err(ReadError::TooLarge { .. } | ReadError::Failed { .. })) => {
            Err(CallError::Unanswered(unreadable()))
        }
        (_, body) => Err(CallError::Refused(refused(
            status,
            &body.unwrap_or_default(),
            wait,
        ))),
    }
}

pub(super) fn unreadable() -> SendError {
    SendError::transient("bad_answer", "the answer cannot be read")
}

/// A refusal by Cloudflare, which stands before Discord, is a page: then the status and the header say it all.
fn refused(status: u16, body: &[u8], wait: Option<Duration>) -> Refused {
    let body: ErrorBody = serde_json::from_slice(body).unwrap_or_default();
    let said = body
        .retry_after
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Refused {
        status,
        code: body.code.unwrap_or(0),
        message: body.message.unwrap_or_else(|| format!("HTTP {status}")),
        // The header is the body's rounded up, and all there is in a page.
        wait: said.max(wait).map(|wait| wait.min(MAX_RETRY_AFTER)),
        is_global: body.global.unwrap_or(false),
    }
}

impl Refused {
    /// Whether what was said of an interaction can only be said in the channel.
    pub(super) fn closes_way_back(&self) -> bool {
        WAY_BACK_CLOSED.contains(&self.code) || self.code == UNKNOWN_MESSAGE
    }

    /// Whether Discord does not know, or not yet, what an interaction is answered with.
    pub(super) fn knows_no_answer(&self) -> bool {
        [UNKNOWN_MESSAGE, UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION].contains(&self.code)
    }

    /// Whether Discord does not take the buttons, or something else of the message; without them it may go.
    pub(super) fn may_be_about_the_buttons(&self) -> bool {
        self.code == INVALID_FORM
    }

    fn verdict(self) -> SendError {
        let detail: String = self.message.chars().take(MAX_DETAIL_CHARS).collect();
        let detail = match self.code {
            0 => detail,
            code => format!("{detail} ({code})"),
        };
        let is = |codes: &[u64]| codes.contains(&self.code);
        if self.status == 429 || is(&RATE_LIMITED) {
            SendError::RateLimited {
                retry_after: self.wait.unwrap_or(UNSAID_PAUSE),
                is_global: self.is_global,
                detail,
            }
        } else if matches!(self.status, 408 | 500..=599) || is(&SERVER_ERROR) {
            SendError::transient("server_error", detail)
        } else if self.status == 401 || is(&UNAUTHORIZED) {
            SendError::permanent("unauthorized", detail)
        } else if is(&CHAT_REFUSED) {
            SendError::permanent("chat_refused", detail)
        } else if is(&MESSAGE_REFUSED) {
            SendError::permanent("message_refused", detail)
        } else if self.status == 413 || is(&TOO_LARGE) {
            SendError::permanent("too_large", detail)
        } else if is(&FILE_REFUSED) {
            SendError::permanent("file_refused", detail)
        } else {
            // Not in the book: Discord adds refusals, not hiccups.
            SendError::permanent("refused", detail)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str, wait: Option<u64>) -> String {
        match refused(status, body.as_bytes(), wait.map(Duration::from_secs)).verdict() {
            SendError::RateLimited { retry_after, .. } => format!("wait {}", retry_after.as_secs_f64()),
            SendError::Transient { class, .. } => format!("transient {class}"),
            SendError::Permanent { class, .. } => format!("permanent {class}"),
        }
    }

    fn code(status: u16, code: u64) -> String {
        let body = serde_json::json!({"code": code, "message": "x"}).to_string();
        verdict(status, &body, None)
    }

    #[test]
    fn each_code_has_its_class() {
        for (codes, expected) in [
            (&UNAUTHORIZED[..], "permanent unauthorized"),
            (&CHAT_REFUSED, "permanent chat_refused"),
            (&MESSAGE_REFUSED, "permanent message_refused"),
            (&FILE_REFUSED, "permanent file_refused"),
            (&TOO_LARGE, "permanent too_large"),
            (&RATE_LIMITED, "wait 5"),
            (&SERVER_ERROR, "transient server_error"),
            (&[0, 99999], "permanent refused"),
        ] {
            for each in codes {
                assert_eq!(code(400, *each), expected, "{each}");
            }
        }
    }

    #[test]
    fn a_status_says_it_where_no_code_does() {
        for (status, expected) in [
            (401, "permanent unauthorized"),
            (403, "permanent refused"),
            (404, "permanent refused"),
            (413, "permanent too_large"),
            (429, "wait 5"),
            (408, "transient server_error"),
            (500, "transient server_error"),
            (502, "transient server_error"),
        ] {
            assert_eq!(verdict(status, "<html>", None), expected, "{status}");
        }
        assert_eq!(code(503, 10003), "transient server_error");
    }

    #[test]
    fn a_pause_is_read_from_the_body_and_the_header() {
        let body = include_str!("../../tests/fixtures/discord/err_429.json");
        assert_eq!(verdict(429, body, None), "wait 64.57");
        assert_eq!(verdict(429, body, Some(65)), "wait 65");
        assert_eq!(verdict(429, "<html>", Some(7)), "wait 7");
        for (seconds, expected) in [("-1", "wait 5"), ("1e300", "wait 5"), ("86400", "wait 3600")] {
            let body = format!(r#"{{"retry_after":{seconds},"global":true}}"#);
            assert_eq!(verdict(429, &body, None), expected, "{seconds}");
        }
    }

    #[test]
    fn a_pause_says_whether_it_is_for_the_whole_bot() {
        for (body, expected) in [
            (r#"{"retry_after":1,"global":true}"#, true),
            (r#"{"retry_after":1,"global":false}"#, false),
            ("<html>", false),
        ] {
            let verdict = refused(429, body.as_bytes(), None).verdict();
            let SendError::RateLimited { is_global, .. } = verdict else {
                panic!("{verdict}")
            };
            assert_eq!(is_global, expected, "{body}");
        }
    }

    #[test]
    fn a_long_story_is_cut_and_its_code_is_told() {
        let body = serde_json::json!({"code": 50035, "message": "é".repeat(MAX_DETAIL_CHARS + 1)});
        let error = refused(400, body.to_string().as_bytes(), None).verdict();
        assert_eq!(error.to_string().matches('é').count(), MAX_DETAIL_CHARS);
        assert!(error.to_string().ends_with("(50035)"));
    }
}
