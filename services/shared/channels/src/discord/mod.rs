//! Discord: interactions and the Gateway in, its REST API out (`channels.md`, section 4).

mod message;

use outbound::Client;
use proto_schemas::content::{FileSource, ReplyAddress};
use registry::{DiscordConnection, Secret};

pub use message::receive_message;

use crate::account::OpenError;
use crate::api_base::ApiBase;
use crate::download::{DownloadError, Downloaded};
use crate::inbound::{Inbound, Refusal, Request};
use crate::outgoing::{OutgoingReply, Part, SendError, SendMeta, Sent};

/// A Discord application with its bot.
pub struct Account {
    token: Secret,
    application_id: String,
    public_key: String,
    api_base: ApiBase,
}

impl Account {
    pub(crate) fn open(spec: &DiscordConnection) -> Result<Self, OpenError> {
        Ok(Self {
            api_base: ApiBase::open(&spec.api_base)?,
            token: spec.token.resolve()?,
            application_id: spec.application_id.clone(),
            public_key: spec.public_key.clone(),
        })
    }

    pub(crate) fn receive(&self, _request: &Request<'_>) -> Result<Inbound, Refusal> {
        Err(Refusal::NotUnderstood("interactions are not read yet".to_owned()))
    }

    pub(crate) async fn send(
        &self,
        _client: &Client,
        _address: &ReplyAddress,
        _part: &Part,
        _meta: &SendMeta<'_>,
    ) -> Result<Sent, SendError> {
        Err(SendError::permanent("unsupported", "nothing is sent yet"))
    }

    pub(crate) async fn download(
        &self,
        _client: &Client,
        _file: &FileSource,
        _max_bytes: u64,
    ) -> Result<Downloaded, DownloadError> {
        Err(DownloadError::permanent("unsupported", "nothing is fetched yet"))
    }
}

pub(crate) fn render(_reply: &OutgoingReply<'_>) -> Vec<Part> {
    Vec::new()
}
