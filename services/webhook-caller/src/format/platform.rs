//! What a webhook of the guide answered, read strictly where it matters and leniently where it does not.

use outbound::is_web;
use proto_schemas::content::{Attachment, Button};
use proto_schemas::context::TurnResult;
use serde::Deserialize;

use super::read;
use crate::error::CallError;

/// The most files one reply may carry.
const MAX_ATTACHMENTS: usize = 10;
/// The most buttons one reply may carry: what a message of Discord takes.
const MAX_BUTTONS: usize = 25;
/// The longest label, in characters: Slack's limit, the smallest of the channels'.
const MAX_LABEL_CHARS: usize = 75;
/// The longest value, in bytes: Telegram's limit, the smallest of the channels'.
const MAX_VALUE_BYTES: usize = 64;
/// The longest address that a button opens, in characters: Discord's limit, the smallest of the channels'.
const MAX_BUTTON_URL_CHARS: usize = 512;

#[derive(Deserialize)]
struct Body {
    content: Option<String>,
    #[serde(default)]
    attachments: Option<Vec<Attachment>>,
    #[serde(default)]
    buttons: Option<Vec<Button>>,
    #[serde(default)]
    metadata: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: Option<serde_json::Value>,
    code: Option<serde_json::Value>,
}

/// Reads a 2xx body (the guide, "Response Format"). Empty content without files means that there is nothing
/// to say.
///
/// # Errors
/// [`CallError`]: the same answer would be unreadable again, so all are terminal.
pub(super) fn reply(body: &[u8]) -> Result<TurnResult, CallError> {
    let body: Body = read(body)?;
    let Some(content) = body.content else {
        return Err(CallError::terminal("no_content", "the reply has no `content`"));
    };
    let attachments = body.attachments.unwrap_or_default();
    check(&attachments)?;
    let buttons = body.buttons.unwrap_or_default();
    check_buttons(&buttons)?;
    if content.trim().is_empty() && attachments.is_empty() {
        if !buttons.is_empty() {
            return Err(CallError::terminal(
                "bad_button",
                "buttons stand under a text or a file",
            ));
        }
        return Ok(TurnResult::NoReply);
    }
    Ok(TurnResult::Reply {
        content,
        attachments,
        buttons,
        metadata: body.metadata,
    })
}

fn check(attachments: &[Attachment]) -> Result<(), CallError> {
    if attachments.len() > MAX_ATTACHMENTS {
        let count = attachments.len();
        return Err(CallError::terminal(
            "bad_attachment",
            format!("{count} attachments are more than {MAX_ATTACHMENTS}"),
        ));
    }
    for attachment in attachments {
        if !is_web(&attachment.url) {
            return Err(CallError::terminal(
                "bad_attachment",
                "an attachment's `url` is not a web address",
            ));
        }
    }
    Ok(())
}

/// Buttons have to fit all channels: the same webhook may answer on each of them.
fn check_buttons(buttons: &[Button]) -> Result<(), CallError> {
    let refuse = |detail: String| Err(CallError::terminal("bad_button", detail));
    if buttons.len() > MAX_BUTTONS {
        return refuse(format!("{} buttons are more than {MAX_BUTTONS}", buttons.len()));
    }
    for button in buttons {
        let Button { label, url, .. } = button;
        let is_too_long = |url: &String| url.chars().count() > MAX_BUTTON_URL_CHARS;
        if label.trim().is_empty() || label.chars().count() > MAX_LABEL_CHARS {
            return refuse(format!(
                "a button's `label` has to have 1 to {MAX_LABEL_CHARS} characters"
            ));
        }
        if url.is_none() && !(1..=MAX_VALUE_BYTES).contains(&button.said().len()) {
            return refuse(format!(
                "a button's `value` (its `label` where there is none) has to have 1 to {MAX_VALUE_BYTES} bytes"
            ));
        }
        if url.as_ref().is_some_and(|url| !is_web(url) || is_too_long(url)) {
            return refuse(format!(
                "a button's `url` has to be a web address of at most {MAX_BUTTON_URL_CHARS} characters"
            ));
        }
    }
    Ok(())
}

/// What an error body of the guide's form says, as `code: error`.
pub(super) fn said(body: &[u8]) -> Option<String> {
    let ErrorBody { error, code } = serde_json::from_slice(body).ok()?;
    let code = code.map(|code| format!("{}: ", plain(&code))).unwrap_or_default();
    Some(format!("{code}{}", plain(&error?)))
}

fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::classes;

    fn class(body: &str) -> &'static str {
        let class = reply(body.as_bytes()).unwrap_err().class;
        assert!(
            classes().any(|known| known == class),
            "metrics and hints do not know {class}"
        );
        class
    }

    #[test]
    fn the_guides_replies_are_understood() {
        let reply = reply(br#"{"content":"Hi","attachments":[{"url":"https://c.example/d.pdf","filename":"d.pdf","mime_type":"application/pdf"}],"buttons":[{"label":"Yes","value":"ok:42"},{"label":"Docs","url":"https://c.example/"}],"metadata":{"model":"gpt-4","tokens_used":42},"new":1}"#).unwrap();
        let TurnResult::Reply {
            content,
            attachments,
            buttons,
            metadata,
        } = reply
        else {
            panic!("no reply")
        };
        assert_eq!((content.as_str(), attachments.len()), ("Hi", 1));
        assert_eq!(buttons[0].value.as_deref(), Some("ok:42"));
        assert_eq!(buttons[1].url.as_deref(), Some("https://c.example/"));
        assert_eq!(metadata.unwrap()["tokens_used"], 42);
    }

    #[test]
    fn nothing_to_say_is_no_reply() {
        assert_eq!(reply(br#"{"content":" "}"#).unwrap(), TurnResult::NoReply);
    }

    #[test]
    fn what_is_wrong_has_a_class_of_its_own() {
        assert_eq!(class("<html>"), "not_json");
        assert_eq!(class(""), "not_json");
        assert_eq!(class("\u{feff}\u{0}"), "not_json");
        assert_eq!(class("{}"), "no_content");
        assert_eq!(class(r#"{"content":null}"#), "no_content");
        assert_eq!(class(r#"{"content":1}"#), "no_content");
        assert_eq!(class("[]"), "no_content");
        assert_eq!(
            class(r#"{"content":"x","attachments":[{"url":"file:///etc/passwd"}]}"#),
            "bad_attachment"
        );
    }

    #[test]
    fn more_attachments_than_allowed_are_refused() {
        let many = vec![serde_json::json!({"url": "https://a.example/"}); MAX_ATTACHMENTS + 1];
        assert_eq!(
            class(&serde_json::json!({"content": "x", "attachments": many}).to_string()),
            "bad_attachment"
        );
        let most = vec![serde_json::json!({"url": "https://a.example/"}); MAX_ATTACHMENTS];
        assert!(
            reply(
                serde_json::json!({"content": "x", "attachments": most})
                    .to_string()
                    .as_bytes()
            )
            .is_ok()
        );
    }

    #[test]
    fn a_button_that_some_channel_would_refuse_is_refused() {
        let class_of = |buttons: serde_json::Value| {
            class(&serde_json::json!({"content": "x", "buttons": buttons}).to_string())
        };
        for bad in [
            serde_json::json!([{"label": " "}]),
            serde_json::json!([{"label": "x".repeat(MAX_LABEL_CHARS + 1), "value": "x"}]),
            serde_json::json!([{"label": "é".repeat(MAX_VALUE_BYTES / 2 + 1)}]),
            serde_json::json!([{"label": "x", "value": ""}]),
            serde_json::json!([{"label": "x", "value": "x".repeat(MAX_VALUE_BYTES + 1)}]),
            serde_json::json!([{"label": "x", "url": "javascript:alert(1)"}]),
            serde_json::json!([{"label": "x", "url": format!("https://{}", "x".repeat(MAX_BUTTON_URL_CHARS))}]),
            serde_json::Value::Array(vec![serde_json::json!({"label": "x"}); MAX_BUTTONS + 1]),
        ] {
            assert_eq!(class_of(bad), "bad_button");
        }
        assert_eq!(class(r#"{"content":"","buttons":[{"label":"x"}]}"#), "bad_button");
    }

    #[test]
    fn an_error_body_of_the_guides_form_is_understood() {
        assert_eq!(
            said(br#"{"error":"Rate limit exceeded","code":"rate_limit"}"#).unwrap(),
            "rate_limit: Rate limit exceeded"
        );
        assert_eq!(said(br#"{"error":{"reason":1}}"#).unwrap(), r#"{"reason":1}"#);
        assert_eq!(said(br#"{"code":"rate_limit"}"#), None);
        assert_eq!(said(b"plain"), None);
    }
}
