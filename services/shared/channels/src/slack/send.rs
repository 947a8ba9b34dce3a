//! Sends a part by the Web API.

use data_encoding::HEXLOWER;
use outbound::Client;
use proto_schemas::content::{Button, ReplyAddress};
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Account;
use super::api::call;
use super::blocks::blocks;
use crate::outgoing::{Part, PartContent, SEND_DEADLINE, SendError, SendMeta, Sent};

/// Slack takes JSON with its character set named, and warns otherwise.
pub(super) const JSON: &str = "application/json; charset=utf-8";

#[derive(Serialize)]
struct PostMessage<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<Value>,
    mrkdwn: bool,
    unfurl_links: bool,
    unfurl_media: bool,
    client_msg_id: String,
}

#[derive(Deserialize)]
struct Posted {
    ts: String,
}

impl Account {
    pub(crate) async fn send(
        &self,
        client: &Client,
        address: &ReplyAddress,
        part: &Part,
        meta: &SendMeta<'_>,
    ) -> Result<Sent, SendError> {
        match (&part.content, &meta.content) {
            (PartContent::Message { text, .. }, _) => {
                self.post(client, address, text, &part.buttons, meta).await
            }
            (PartContent::Upload { file, .. }, Some(bytes)) => {
                self.upload(client, address, file, bytes, meta.now_secs).await
            }
            (PartContent::Upload { .. }, None) => Err(SendError::file_missing()),
        }
    }

    async fn post(
        &self,
        client: &Client,
        address: &ReplyAddress,
        text: &str,
        buttons: &[Button],
        meta: &SendMeta<'_>,
    ) -> Result<Sent, SendError> {
        let message = PostMessage {
            channel: &address.chat_id,
            thread_ts: address.thread_id.as_deref(),
            text,
            blocks: blocks(text, buttons),
            mrkdwn: true,
            unfurl_links: false,
            unfurl_media: false,
            client_msg_id: client_msg_id(meta.part_id),
        };
        let body = serde_json::to_vec(&message).expect("a struct of texts has a JSON form");
        let request = self
            .method(client, "chat.postMessage")?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, JSON)
            .body(body);
        let posted: Posted = call(request, meta.now_secs).await?;
        Ok(Sent {
            platform_message_id: posted.ts,
        })
    }
}

/// Slack knows a message again by it: who sends it twice gets the first one back (`channels.md`, section 3.5.7).
/// It has the shape of a random UUID, as those of Slack's own clients have.
fn client_msg_id(part_id: &str) -> String {
    let hash = Sha256::digest(part_id);
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = HEXLOWER.encode(&bytes);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_one_identity_and_another_part_another() {
        let id = client_msg_id("turn_a_m1_0");
        assert_eq!(id, client_msg_id("turn_a_m1_0"));
        assert_ne!(id, client_msg_id("turn_a_m1_0_r1"));
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
        assert!(id[14..].starts_with('4') && "89ab".contains(&id[19..20]), "{id}");
    }
}
