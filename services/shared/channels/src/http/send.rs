//! What we post to the callback: one signed call for a whole reply.

use outbound::signature::{self, WEBHOOK_ID, WEBHOOK_SIGNATURE, WEBHOOK_TIMESTAMP};
use outbound::{Client, read_capped, retry_after};
use proto_schemas::content::{Button, ReplyAddress};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde::Serialize;

use super::Account;
use crate::outgoing::{
    DEFAULT_PAUSE, FileLink, MAX_ANSWER_BYTES, OutgoingReply, Part, PartContent, ReplyKind, SEND_DEADLINE,
    SendError, SendMeta, Sent, in_order, with_lines,
};
use crate::split::split;

/// The longest text of one callback, in bytes: what webhooks may answer, so that a reply is normally one call.
pub const MAX_CALLBACK_TEXT_BYTES: usize = 256 * 1024;

/// The body of a callback.
#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: ReplyKind,
    conversation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_reply_to: Option<&'a str>,
    message_id: &'a str,
    text: &'a str,
    attachments: &'a [FileLink],
    #[serde(skip_serializing_if = "<[Button]>::is_empty")]
    buttons: &'a [Button],
}

/// One part with everything, the text as it was written, unless the text is beyond all measure; the links go with the last part.
pub(crate) fn render(reply: &OutgoingReply<'_>) -> Vec<Part> {
    let mut links = Vec::new();
    let mut lines = Vec::new();
    for file in reply.files {
        match &file.url {
            Some(url) => links.push(FileLink {
                url: url.clone(),
                name: file.name.clone(),
                content_type: file.mime_type.clone(),
                size: file.stored.as_ref().map(|stored| stored.bytes),
            }),
            None => lines.push(file.as_line()),
        }
    }
    let text = with_lines(reply.text, &lines);
    let text = text.trim();
    let mut texts = split(text, MAX_CALLBACK_TEXT_BYTES, &[], |range| range.len());
    if texts.is_empty() && !links.is_empty() {
        texts.push(0..0);
    }
    let last = texts.len().saturating_sub(1);
    in_order(
        texts
            .into_iter()
            .enumerate()
            .map(|(index, range)| PartContent::Message {
                text: text[range].to_owned(),
                entities: Vec::new(),
                links: if index == last {
                    std::mem::take(&mut links)
                } else {
                    Vec::new()
                },
            }),
        reply.buttons,
    )
}

impl Account {
    pub(crate) async fn send(
        &self,
        client: &Client,
        address: &ReplyAddress,
        part: &Part,
        meta: &SendMeta<'_>,
    ) -> Result<Sent, SendError> {
        let PartContent::Message { text, links, .. } = &part.content else {
            return Err(SendError::permanent(
                "foreign_part",
                "this channel takes no uploads",
            ));
        };
        // Who asked for no callback reads the transcript.
        let Some(callback) = &self.callback else {
            return Ok(Sent::known_as(meta));
        };
        let body = Body {
            kind: meta.kind,
            conversation_id: &address.chat_id,
            thread_id: address.thread_id.as_deref(),
            in_reply_to: address.message_id.as_deref(),
            message_id: meta.part_id,
            text,
            attachments: links,
            buttons: &part.buttons,
        };
        let body = serde_json::to_vec(&body).expect("a struct of texts has a JSON form");
        let response = client
            .request(Method::POST, &callback.url)?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, "application/json")
            .header(WEBHOOK_ID, meta.part_id)
            .header(WEBHOOK_TIMESTAMP, meta.now_secs)
            .header(
                WEBHOOK_SIGNATURE,
                signature::sign(&callback.key, meta.part_id, meta.now_secs, &body),
            )
            .body(body)
            .send()
            .await
            .map_err(SendError::unanswered)?;
        check(&response, meta.now_secs)?;
        // The body means nothing; read, it leaves the connection free for the next call.
        drop(read_capped(response, MAX_ANSWER_BYTES).await);
        Ok(Sent::known_as(meta))
    }
}

impl Sent {
    /// The other side knows the message by our name for it.
    fn known_as(meta: &SendMeta<'_>) -> Self {
        Self {
            platform_message_id: meta.part_id.to_owned(),
        }
    }
}

/// Which answers are worth another try (`channels.md`, section 5).
fn check(response: &Response, now_secs: u64) -> Result<(), SendError> {
    let status = response.status().as_u16();
    let detail = format!("the callback answered HTTP {status}");
    let wait = retry_after(response.headers(), now_secs);
    match status {
        200..=299 => Ok(()),
        429 => Err(SendError::RateLimited {
            retry_after: wait.unwrap_or(DEFAULT_PAUSE),
            is_global: false,
            detail,
        }),
        408 | 425 | 500..=599 => Err(match wait {
            Some(retry_after) => SendError::RateLimited {
                retry_after,
                is_global: false,
                detail,
            },
            None => SendError::transient("server_error", detail),
        }),
        300..=399 => Err(SendError::permanent("redirected", detail)),
        410 => Err(SendError::permanent("gone", detail)),
        _ => Err(SendError::permanent("refused", detail)),
    }
}
