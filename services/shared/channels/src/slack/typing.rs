//! Shows that the bot works on an answer: a status of the thread, which our answer ends (`channels.md`, section 3.5.5).

use outbound::Client;
use proto_schemas::content::ReplyAddress;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

use super::Account;
use super::api::call;
use super::send::JSON;
use crate::outgoing::{SEND_DEADLINE, SendError};

/// Of the answer, nothing is needed.
#[derive(Deserialize)]
struct Shown {}

impl Account {
    /// There is nothing of the kind outside of threads.
    pub(crate) async fn show_typing(
        &self,
        client: &Client,
        address: &ReplyAddress,
        now_secs: u64,
    ) -> Result<(), SendError> {
        let Some(thread) = &address.thread_id else {
            return Ok(());
        };
        let status = json!({"channel_id": address.chat_id, "thread_ts": thread, "status": "is thinking…"});
        let request = self
            .method(client, "assistant.threads.setStatus")?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, JSON)
            .body(status.to_string());
        let Shown {} = call(request, now_secs).await?;
        Ok(())
    }
}
