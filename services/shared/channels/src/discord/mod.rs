//! Discord: interactions and the Gateway in, its REST API out (`channels.md`, section 4).

mod api;
mod attachment;
mod components;
mod download;
mod interaction;
mod message;
mod receive;
mod render;
mod send;
mod signature;
mod words;

use std::time::Duration;

use ed25519_dalek::VerifyingKey;
use registry::{DiscordConnection, Secret};

pub use message::receive_message;
pub(crate) use render::render;

use crate::account::OpenError;
use crate::api_base::ApiBase;

/// How long the way back that an interaction opens is open (`channels.md`, section 4.1.5).
const WAY_BACK_IS_OPEN: Duration = Duration::from_secs(15 * 60);

/// A Discord application with its bot.
pub struct Account {
    token: Secret,
    application_id: String,
    public_key: VerifyingKey,
    api_base: ApiBase,
}

impl Account {
    pub(crate) fn open(spec: &DiscordConnection) -> Result<Self, OpenError> {
        Ok(Self {
            api_base: ApiBase::open(&spec.api_base)?,
            token: spec.token.resolve()?,
            application_id: spec.application_id.clone(),
            public_key: signature::public_key(&spec.public_key).ok_or(OpenError::BadPublicKey)?,
        })
    }
}
