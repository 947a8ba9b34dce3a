//! Sends a file in Slack's three steps: ask where to, bring it there, share it (`channels.md`, section 3.5.6).
//!
//! A retry begins at the first step; what was not shared is discarded by Slack. Shared files have no identity of
//! ours, so one whose last answer is lost may be shown twice.

use bytes::Bytes;
use outbound::{Client, retry_after};
use proto_schemas::content::{ReplyAddress, StoredFile};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use url::Url;
use url::form_urlencoded::Serializer;

use super::Account;
use super::api::{call, unreadable};
use super::send::JSON;
use crate::outgoing::{SEND_DEADLINE, SendError, Sent, UPLOAD_DEADLINE};

pub(super) const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Deserialize)]
struct Place {
    upload_url: Url,
    file_id: String,
}

#[derive(Serialize)]
struct Share<'a> {
    files: [SharedFile<'a>; 1],
    channel_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
}

#[derive(Serialize)]
struct SharedFile<'a> {
    id: &'a str,
    title: &'a str,
}

/// Sharing goes on after the answer, so the answer names no message yet.
#[derive(Deserialize)]
struct Shared {}

impl Account {
    pub(super) async fn upload(
        &self,
        client: &Client,
        address: &ReplyAddress,
        file: &StoredFile,
        bytes: &Bytes,
        now_secs: u64,
    ) -> Result<Sent, SendError> {
        let place = self.place(client, &file.name, bytes.len(), now_secs).await?;
        bring(client, &place.upload_url, bytes, now_secs).await?;
        self.share(client, address, file, &place.file_id, now_secs)
            .await?;
        Ok(Sent {
            platform_message_id: place.file_id,
        })
    }

    async fn place(
        &self,
        client: &Client,
        name: &str,
        bytes: usize,
        now_secs: u64,
    ) -> Result<Place, SendError> {
        let form = Serializer::new(String::new())
            .append_pair("filename", name)
            .append_pair("length", &bytes.to_string())
            .finish();
        let request = self
            .method(client, "files.getUploadURLExternal")?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, FORM)
            .body(form);
        call(request, now_secs).await
    }

    async fn share(
        &self,
        client: &Client,
        address: &ReplyAddress,
        file: &StoredFile,
        file_id: &str,
        now_secs: u64,
    ) -> Result<(), SendError> {
        let share = Share {
            files: [SharedFile {
                id: file_id,
                title: &file.name,
            }],
            channel_id: &address.chat_id,
            thread_ts: address.thread_id.as_deref(),
        };
        let body = serde_json::to_vec(&share).expect("a struct of texts has a JSON form");
        let request = self
            .method(client, "files.completeUploadExternal")?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, JSON)
            .body(body);
        let Shared {} = call(request, now_secs).await?;
        Ok(())
    }
}

/// The address itself is the permission, so the token stays here.
async fn bring(client: &Client, url: &Url, bytes: &Bytes, now_secs: u64) -> Result<(), SendError> {
    let response = client
        .request(Method::POST, url)?
        .timeout(UPLOAD_DEADLINE)
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(bytes.clone())
        .send()
        .await
        .map_err(SendError::unanswered)?;
    let status = response.status().as_u16();
    if status == 200 {
        return Ok(());
    }
    match unreadable(status, retry_after(response.headers(), now_secs)) {
        // An address that is used up or too old: the next try has another one.
        SendError::Permanent {
            class: "refused",
            detail,
        } => Err(SendError::transient("upload_failed", detail)),
        error @ (SendError::RateLimited { .. }
        | SendError::Transient { .. }
        | SendError::Permanent { .. }) => Err(error),
    }
}
