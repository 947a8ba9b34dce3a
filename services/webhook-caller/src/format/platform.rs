//! What a webhook of the guide answered, read strictly where it matters and leniently where it does not.

use proto_schemas::content::Attachment;
use proto_schemas::context::TurnResult;
use serde::Deserialize;
use url::Url;

use super::read;
use crate::error::CallError;

/// The most files one reply may carry.
const MAX_ATTACHMENTS: usize = 10;

#[derive(Deserialize)]
struct Body {
    content: Option<String>,
    #[serde(default)]
    attachments: Option<Vec<Attachment>>,
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
    if content.trim().is_empty() && attachments.is_empty() {
        return Ok(TurnResult::NoReply);
    }
    Ok(TurnResult::Reply {
        content,
        attachments,
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
        let is_web = Url::parse(&attachment.url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"));
        if !is_web {
            return Err(CallError::terminal(
                "bad_attachment",
                "an attachment's `url` is not a web address",
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

    fn class(body: &str) -> &'static str {
        reply(body.as_bytes()).unwrap_err().class
    }

    #[test]
    fn the_guides_replies_are_understood() {
        let reply = reply(br#"{"content":"Hi","attachments":[{"url":"https://c.example/d.pdf","filename":"d.pdf","mime_type":"application/pdf"}],"metadata":{"model":"gpt-4","tokens_used":42},"new":1}"#).unwrap();
        let TurnResult::Reply {
            content,
            attachments,
            metadata,
        } = reply
        else {
            panic!("no reply")
        };
        assert_eq!((content.as_str(), attachments.len()), ("Hi", 1));
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
