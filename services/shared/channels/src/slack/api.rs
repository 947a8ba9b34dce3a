//! Calls of the Web API and what their failures mean (`channels.md`, sections 3.5.1 and 3.6).

use std::time::Duration;

use outbound::{MAX_RETRY_AFTER, ReadError, read_capped, retry_after};
use reqwest::RequestBuilder;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::outgoing::SendError;

/// The most that is read of an answer: a message is repeated with its blocks, a snippet with its content, both in
/// many times their length.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;
/// How much of what Slack says of a failure goes into an error text.
const MAX_DETAIL_CHARS: usize = 200;
/// The pause when Slack asks for one without saying how long: it counts calls by the minute.
const UNSAID_PAUSE: Duration = Duration::from_secs(10);

/// The token, or the app, may not do it.
const UNAUTHORIZED: [&str; 17] = [
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "missing_scope",
    "no_permission",
    "not_allowed_token_type",
    "team_access_not_granted",
    "accesslimited",
    "access_denied",
    "two_factor_setup_required",
    "method_deprecated",
    "deprecated_endpoint",
    "enterprise_is_restricted",
    "ekm_access_denied",
    "org_login_denied",
];
/// The channel is not there, or not for us.
const CHAT_REFUSED: [&str; 10] = [
    "channel_not_found",
    "not_in_channel",
    "is_archived",
    "is_inactive",
    "messages_tab_disabled",
    "cannot_reply_to_message",
    "team_not_found",
    "user_not_found",
    "cannot_dm_bot",
    "posting_to_channel_denied",
];
/// The message itself will not do.
const MESSAGE_REFUSED: [&str; 20] = [
    "no_text",
    "msg_too_long",
    "msg_blocks_too_long",
    "invalid_blocks",
    "invalid_blocks_format",
    "too_many_attachments",
    "attachment_payload_limit_exceeded",
    "markdown_text_conflict",
    "metadata_too_large",
    "invalid_metadata_format",
    "invalid_arguments",
    "invalid_arg_name",
    "invalid_array_arg",
    "invalid_charset",
    "invalid_form_data",
    "invalid_post_type",
    "missing_post_type",
    "missing_argument",
    "message_not_found",
    "duplicate_message_not_found",
];
/// The file is not taken, or not there.
const FILE_REFUSED: [&str; 7] = [
    "file_not_found",
    "file_deleted",
    "blocked_file_type",
    "file_upload_size_restricted",
    "file_uploads_disabled",
    "storage_limit_reached",
    "snippet_too_large",
];
/// It passes by itself.
const SERVER_ERROR: [&str; 6] = [
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "update_failed",
    "external_channel_migrating",
];
const RATE_LIMITED: [&str; 3] = ["ratelimited", "rate_limited", "message_limit_exceeded"];
/// The workspace moves into an organisation, which takes hours.
const MOVING: [&str; 2] = ["team_added_to_org", "org_login_required"];

/// Of every answer, what says whether the call succeeded. A refusal comes with HTTP 200.
#[derive(Deserialize)]
struct Answer {
    ok: bool,
    error: Option<String>,
    /// The scope that the token lacks.
    needed: Option<String>,
}

/// Makes a call and reads its result.
pub(super) async fn call<T: DeserializeOwned>(
    request: RequestBuilder,
    now_secs: u64,
) -> Result<T, SendError> {
    let response = request.send().await.map_err(SendError::unanswered)?;
    let status = response.status().as_u16();
    let wait = retry_after(response.headers(), now_secs);
    let body = match read_capped(response, MAX_ANSWER_BYTES).await {
        Ok(body) => body,
        Err(ReadError::TooLarge { .. } | ReadError::Failed { .. }) => return Err(unreadable(status, wait)),
    };
    match serde_json::from_slice::<Answer>(&body) {
        Ok(answer) if answer.ok => serde_json::from_slice(&body).map_err(|_| unreadable(status, wait)),
        Ok(answer) => Err(refused(status, answer, wait)),
        Err(_) => Err(unreadable(status, wait)),
    }
}

/// What a status means by itself: of a proxy, of a server in trouble, of an upload.
pub(super) fn unreadable(status: u16, wait: Option<Duration>) -> SendError {
    let detail = format!("HTTP {status}");
    match status {
        429 => pause(wait, detail),
        408 | 500..=599 => SendError::transient("server_error", detail),
        200..=299 => SendError::transient("bad_answer", "the answer cannot be read"),
        413 => SendError::permanent("too_large", detail),
        _ => SendError::permanent("refused", detail),
    }
}

fn refused(status: u16, answer: Answer, wait: Option<Duration>) -> SendError {
    let code = answer.error.unwrap_or_else(|| format!("HTTP {status}"));
    let told = match answer.needed {
        Some(scope) => format!("{code} (needs {scope})"),
        None => code.clone(),
    };
    let detail: String = told.chars().take(MAX_DETAIL_CHARS).collect();
    let is = |codes: &[&str]| codes.contains(&code.as_str());
    if status == 429 || is(&RATE_LIMITED) {
        pause(wait, detail)
    } else if is(&MOVING) {
        pause(Some(MAX_RETRY_AFTER), detail)
    } else if status >= 500 || is(&SERVER_ERROR) {
        SendError::transient("server_error", detail)
    } else if is(&UNAUTHORIZED) {
        SendError::permanent("unauthorized", detail)
    } else if is(&CHAT_REFUSED) || code.starts_with("restricted_action") {
        SendError::permanent("chat_refused", detail)
    } else if is(&MESSAGE_REFUSED) {
        SendError::permanent("message_refused", detail)
    } else if is(&FILE_REFUSED) {
        SendError::permanent("file_refused", detail)
    } else {
        // Not in the book, as `slack_connect_…_blocked`: Slack adds refusals, not hiccups.
        SendError::permanent("refused", detail)
    }
}

fn pause(wait: Option<Duration>, detail: String) -> SendError {
    SendError::RateLimited {
        retry_after: wait.unwrap_or(UNSAID_PAUSE),
        is_global: false,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: u16, body: &str) -> String {
        match refused(status, serde_json::from_str(body).unwrap(), None) {
            SendError::RateLimited { retry_after, .. } => format!("wait {}", retry_after.as_secs()),
            SendError::Transient { class, .. } => format!("transient {class}"),
            SendError::Permanent { class, .. } => format!("permanent {class}"),
        }
    }

    fn code(code: &str) -> String {
        verdict(200, &serde_json::json!({"ok": false, "error": code}).to_string())
    }

    #[test]
    fn each_refusal_has_its_class() {
        for (codes, expected) in [
            (&UNAUTHORIZED[..], "permanent unauthorized"),
            (&CHAT_REFUSED, "permanent chat_refused"),
            (&MESSAGE_REFUSED, "permanent message_refused"),
            (&FILE_REFUSED, "permanent file_refused"),
            (&SERVER_ERROR, "transient server_error"),
            (&RATE_LIMITED, "wait 10"),
            (&MOVING, "wait 3600"),
            (
                &["restricted_action", "restricted_action_thread_locked"],
                "permanent chat_refused",
            ),
            (
                &["slack_connect_file_upload_sharing_blocked", "something_new", ""],
                "permanent refused",
            ),
        ] {
            for each in codes {
                assert_eq!(code(each), expected, "{each}");
            }
        }
    }

    #[test]
    fn a_status_says_more_than_a_code_that_is_not_in_the_book() {
        assert_eq!(verdict(500, r#"{"ok":false}"#), "transient server_error");
        assert_eq!(
            verdict(503, r#"{"ok":false,"error":"something_new"}"#),
            "transient server_error"
        );
        assert_eq!(verdict(429, r#"{"ok":false,"error":"something_new"}"#), "wait 10");
        assert_eq!(verdict(403, r#"{"ok":false}"#), "permanent refused");
    }

    #[test]
    fn the_scope_that_lacks_is_told_and_a_long_story_is_cut() {
        let lacking =
            r#"{"ok":false,"error":"missing_scope","needed":"files:write","provided":"chat:write"}"#;
        let error = refused(200, serde_json::from_str(lacking).unwrap(), None);
        assert_eq!(
            error.to_string(),
            "unauthorized: missing_scope (needs files:write)"
        );
        let long = serde_json::json!({"ok": false, "error": "é".repeat(MAX_DETAIL_CHARS + 1)}).to_string();
        let error = refused(200, serde_json::from_str(&long).unwrap(), None);
        assert_eq!(error.to_string().matches('é').count(), MAX_DETAIL_CHARS);
    }
}
