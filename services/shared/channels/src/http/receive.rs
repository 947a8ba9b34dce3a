//! What is posted to us: verified over the raw bytes, then read.

use bytes::Bytes;
use data_encoding::BASE64;
use outbound::signature::{self, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use proto_schemas::content::{FileLocation, FileSource, User};
use reqwest::header::HeaderMap;
use serde::Deserialize;
use url::Url;

use super::Account;
use crate::inbound::{
    Addressed, Inbound, InboundFile, InboundMessage, Refusal, Request, json_problem, media_type,
};
use crate::names::sanitise_name;

/// The longest text, in bytes: a page of questions, and far below what a turn may carry.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;
/// The longest identifier or name, in characters.
pub const MAX_FIELD_CHARS: usize = 256;
/// The most attachments of one message.
pub const MAX_ATTACHMENTS: usize = 10;
/// The longest link, in bytes; browsers and servers agree on about this.
pub const MAX_URL_BYTES: usize = 2048;

#[derive(Deserialize)]
struct Body {
    conversation_id: Option<String>,
    thread_id: Option<String>,
    user: Option<BodyUser>,
    message_id: Option<String>,
    text: Option<String>,
    attachments: Option<Vec<BodyAttachment>>,
}

#[derive(Deserialize)]
struct BodyUser {
    id: Option<String>,
    name: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct BodyAttachment {
    url: Option<String>,
    data_base64: Option<String>,
    name: Option<String>,
    content_type: Option<String>,
    size: Option<u64>,
}

impl Account {
    pub(crate) fn receive(&self, request: &Request<'_>) -> Result<Inbound, Refusal> {
        let id = self.verify(request)?;
        let body: Body =
            serde_json::from_slice(request.body).map_err(|error| Refusal::BadBody(json_problem(&error)))?;
        message(id, body)?.said()
    }

    /// Checks the signature; the answer is the `webhook-id`.
    fn verify<'a>(&self, request: &Request<'a>) -> Result<&'a str, Refusal> {
        let id = header(request.headers, WEBHOOK_ID)?;
        let timestamp = header(request.headers, WEBHOOK_TIMESTAMP)?;
        let list = header(request.headers, WEBHOOK_SIGNATURE)?;
        signature::verify(&self.keys, id, timestamp, list, request.body, request.now_secs)
            .map_err(|error| Refusal::Unauthorized(error.to_string()))?;
        Ok(id)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let value = headers
        .get(name)
        .ok_or_else(|| Refusal::Unauthorized(format!("{name} is missing")))?;
    value
        .to_str()
        .map_err(|_| Refusal::Unauthorized(format!("{name} is not text")))
}

fn message(webhook_id: &str, body: Body) -> Result<InboundMessage, Refusal> {
    let user = body.user.ok_or_else(|| missing("user"))?;
    let text = body.text.unwrap_or_default();
    if text.len() > MAX_TEXT_BYTES {
        return bad(format!("text is longer than {MAX_TEXT_BYTES} bytes"));
    }
    let attachments = body.attachments.unwrap_or_default();
    if attachments.len() > MAX_ATTACHMENTS {
        return bad(format!("there are more than {MAX_ATTACHMENTS} attachments"));
    }
    if text.trim().is_empty() && attachments.is_empty() {
        return bad("there is neither text nor an attachment".to_owned());
    }
    let dedup_key = checked("webhook-id", webhook_id.to_owned())?;
    Ok(InboundMessage {
        chat_id: required("conversation_id", body.conversation_id)?,
        thread_id: optional("thread_id", body.thread_id)?,
        thread_is_conversation: true,
        message_id: Some(optional("message_id", body.message_id)?.unwrap_or_else(|| dedup_key.clone())),
        user: User {
            id: required("user.id", user.id)?,
            name: optional("user.name", user.name)?,
            username: optional("user.username", user.username)?,
        },
        files: attachments
            .into_iter()
            .enumerate()
            .map(file)
            .collect::<Result<_, _>>()?,
        is_group: false,
        addressed: Addressed::Surely,
        album: None,
        is_edit: false,
        interaction: None,
        answer: None,
        text,
        dedup_key,
    })
}

fn file((index, attachment): (usize, BodyAttachment)) -> Result<InboundFile, Refusal> {
    let name = sanitise_name(&attachment.name.unwrap_or_default());
    let mime_type = attachment.content_type.as_deref().and_then(media_type);
    match (attachment.url, attachment.data_base64) {
        (Some(url), None) => {
            let url = link(&url).ok_or_else(|| {
                let what = format!("attachments[{index}].url is not an http or https link");
                Refusal::BadBody(format!("{what} of at most {MAX_URL_BYTES} bytes"))
            })?;
            let location = FileLocation::Url { url };
            Ok(InboundFile::Source(FileSource {
                name,
                mime_type,
                bytes: attachment.size,
                location,
            }))
        }
        (None, Some(data)) => {
            let bytes = BASE64.decode(data.as_bytes()).map_err(|_| {
                Refusal::BadBody(format!(
                    "attachments[{index}].data_base64 is not padded standard base64"
                ))
            })?;
            Ok(InboundFile::Inline {
                name,
                mime_type,
                bytes: Bytes::from(bytes),
            })
        }
        (Some(_), Some(_)) | (None, None) => {
            bad(format!("attachments[{index}] needs either url or data_base64"))
        }
    }
}

/// Whether the policy allows it is for the fetcher; here only what can never be fetched is refused.
fn link(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok()?;
    // Measured as it is kept: what is not ASCII becomes three times as long.
    let fetchable = matches!(parsed.scheme(), "http" | "https") && parsed.as_str().len() <= MAX_URL_BYTES;
    fetchable.then(|| parsed.into())
}

fn required(field: &str, value: Option<String>) -> Result<String, Refusal> {
    checked(field, value.ok_or_else(|| missing(field))?)
}

fn optional(field: &str, value: Option<String>) -> Result<Option<String>, Refusal> {
    value.map(|value| checked(field, value)).transpose()
}

fn checked(field: &str, value: String) -> Result<String, Refusal> {
    if (1..=MAX_FIELD_CHARS).contains(&value.chars().count()) {
        return Ok(value);
    }
    bad(format!("{field} needs 1 to {MAX_FIELD_CHARS} characters"))
}

fn missing(field: &str) -> Refusal {
    Refusal::BadBody(format!("{field} is missing"))
}

fn bad<T>(reason: String) -> Result<T, Refusal> {
    Err(Refusal::BadBody(reason))
}
