//! Shows that the bot works on an answer (`channels.md`, section 2.5.1).

use outbound::Client;
use proto_schemas::content::ReplyAddress;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Serialize;

use super::Account;
use super::api::{CallError, call};
use super::send::{Target, as_json, target};
use crate::outgoing::{SEND_DEADLINE, SendError};

#[derive(Serialize)]
struct ChatAction {
    #[serde(flatten)]
    target: Target,
    action: &'static str,
}

impl Account {
    pub(crate) async fn show_typing(
        &self,
        client: &Client,
        address: &ReplyAddress,
        now_secs: u64,
    ) -> Result<(), SendError> {
        let action = ChatAction {
            target: target(address, false),
            action: "typing",
        };
        let request = client
            .request(Method::POST, &self.method_url("sendChatAction"))?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, "application/json")
            .body(as_json(&action));
        let _done: bool = call(request, now_secs).await.map_err(CallError::verdict)?;
        Ok(())
    }
}
