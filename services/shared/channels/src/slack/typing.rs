//! Shows that the bot works on an answer: a status of the thread, which our answer ends, or we do where there is none
//! (`channels.md`, section 3.5.5).

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
        match &address.thread_id {
            Some(thread) => {
                self.set_status(client, &address.chat_id, thread, "is thinking…", now_secs)
                    .await
            }
            None => Ok(()),
        }
    }

    /// Takes the status back. Slack does so itself after two minutes, so nothing waits for it if that fails.
    pub(crate) async fn say_nothing(&self, client: &Client, address: &ReplyAddress, now_secs: u64) {
        let Some(thread) = address.thread_id.as_ref().filter(|_| self.shows_typing) else {
            return;
        };
        let outcome = self.set_status(client, &address.chat_id, thread, "", now_secs);
        if let Err(error) = outcome.await {
            tracing::debug!(%error, "the status of a thread of Slack ends by itself");
        }
    }

    async fn set_status(
        &self,
        client: &Client,
        channel: &str,
        thread: &str,
        status: &str,
        now_secs: u64,
    ) -> Result<(), SendError> {
        let status = json!({"channel_id": channel, "thread_ts": thread, "status": status});
        let request = self
            .method(client, "assistant.threads.setStatus")?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, JSON)
            .body(status.to_string());
        let Shown {} = call(request, now_secs).await?;
        Ok(())
    }
}
