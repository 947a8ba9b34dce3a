//! Telegram's Bot API (`channels.md`, section 2).

mod api;
mod attachment;
mod download;
mod event;
mod keyboard;
mod receive;
mod render;
mod send;
mod typing;
mod update;
mod wording;

use registry::{Secret, TelegramConnection};
use url::Url;

pub(crate) use render::render;

use crate::account::OpenError;
use crate::api_base::ApiBase;

/// A Telegram bot.
pub struct Account {
    token: Secret,
    webhook_secret: Secret,
    username: Option<String>,
    api_base: ApiBase,
}

impl Account {
    pub(crate) fn open(spec: &TelegramConnection) -> Result<Self, OpenError> {
        Ok(Self {
            api_base: ApiBase::open(&spec.api_base)?,
            token: spec.token.resolve()?,
            webhook_secret: spec.webhook_secret.resolve()?,
            username: spec.username.clone(),
        })
    }

    /// The address of a method. Holds the token: it must not be shown.
    fn method_url(&self, method: &str) -> Url {
        self.api_base
            .with([&format!("bot{}", self.token.expose()), method])
    }

    /// The address of a file. Holds the token: it must not be shown.
    fn file_url(&self, path: &str) -> Url {
        let bot = format!("bot{}", self.token.expose());
        self.api_base
            .with(["file", &bot].into_iter().chain(path.split('/')))
    }
}
