//! Telegram's Bot API (`channels.md`, section 2).

mod api;
mod download;
mod receive;
mod render;
mod send;
mod update;
mod wording;

use registry::{Secret, TelegramConnection};
use url::Url;

pub(crate) use render::render;

use crate::account::OpenError;

/// A Telegram bot.
pub struct Account {
    token: Secret,
    webhook_secret: Secret,
    username: Option<String>,
    api_base: Url,
}

impl Account {
    pub(crate) fn open(spec: &TelegramConnection) -> Result<Self, OpenError> {
        if spec.api_base.cannot_be_a_base() {
            return Err(OpenError::BadApiBase);
        }
        Ok(Self {
            token: spec.token.resolve()?,
            webhook_secret: spec.webhook_secret.resolve()?,
            username: spec.username.clone(),
            api_base: spec.api_base.clone(),
        })
    }

    /// The address of a method. Holds the token: it must not be shown.
    fn method_url(&self, method: &str) -> Url {
        self.url([&format!("bot{}", self.token.expose()), method])
    }

    /// The address of a file. Holds the token: it must not be shown.
    fn file_url(&self, path: &str) -> Url {
        let bot = format!("bot{}", self.token.expose());
        self.url(["file", &bot].into_iter().chain(path.split('/')))
    }

    fn url<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.api_base.clone();
        url.path_segments_mut()
            .expect("the base was checked when the account was opened")
            .pop_if_empty()
            .extend(segments);
        url
    }
}
