//! A connection with its secrets read.

use std::fmt;

use outbound::Client;
use outbound::signature::BadKey;
use proto_schemas::content::{ChannelKind, FileSource, ReplyAddress};
use registry::{Connection, ConnectionChannel, SecretError};

use crate::download::{DownloadError, Downloaded};
use crate::inbound::{Inbound, Refusal, Request};
use crate::outgoing::{OutgoingReply, Part, SendError, SendMeta, Sent};
use crate::{discord, http, slack, telegram};

/// An account of a channel, ready to receive and to send. Its `Debug` shows the kind only.
pub enum Account {
    /// Our own HTTP channel.
    Http(http::Account),
    /// A Telegram bot.
    Telegram(telegram::Account),
    /// A Slack app.
    Slack(slack::Account),
    /// A Discord application.
    Discord(discord::Account),
}

/// Why a connection cannot be used. Names the secret's reference, never its value.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A secret is no signing key.
    #[error("secret {reference} is unusable: {source}")]
    Key {
        /// The reference.
        reference: String,
        /// Why.
        source: BadKey,
    },
    /// Paths cannot be added to the address of the platform's server.
    #[error("api_base is not the address of an HTTP server")]
    BadApiBase,
    /// What signatures are checked by is no key.
    #[error("public_key is not an Ed25519 key")]
    BadPublicKey,
}

impl Account {
    /// Reads all secrets of a connection, once. Open it again to see a rotated secret.
    ///
    /// # Errors
    /// [`OpenError`] when a secret is missing or unusable.
    pub fn open(connection: &Connection) -> Result<Self, OpenError> {
        match &connection.channel {
            ConnectionChannel::Http(spec) => http::Account::open(spec).map(Self::Http),
            ConnectionChannel::Telegram(spec) => telegram::Account::open(spec).map(Self::Telegram),
            ConnectionChannel::Slack(spec) => slack::Account::open(spec, connection.typing).map(Self::Slack),
            ConnectionChannel::Discord(spec) => discord::Account::open(spec).map(Self::Discord),
        }
    }

    /// Which channel it is.
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Http(_) => ChannelKind::Http,
            Self::Telegram(_) => ChannelKind::Telegram,
            Self::Slack(_) => ChannelKind::Slack,
            Self::Discord(_) => ChannelKind::Discord,
        }
    }

    /// Verifies what the platform pushed, over the raw bytes, and reads it.
    ///
    /// # Errors
    /// [`Refusal`] when it is not authentic or cannot be understood.
    pub fn receive(&self, request: &Request<'_>) -> Result<Inbound, Refusal> {
        match self {
            Self::Http(account) => account.receive(request),
            Self::Telegram(account) => account.receive(request),
            Self::Slack(account) => account.receive(request),
            Self::Discord(account) => account.receive(request),
        }
    }

    /// Splits a reply into parts that the platform takes, in the order in which they are to be sent. A reply
    /// with nothing to say has no parts. The same reply always gives the same parts.
    pub fn render(&self, reply: &OutgoingReply<'_>) -> Vec<Part> {
        match self {
            Self::Http(_) => http::render(reply),
            Self::Telegram(_) => telegram::render(reply),
            Self::Slack(_) => slack::render(reply),
            Self::Discord(_) => discord::render(reply),
        }
    }

    /// Sends one part.
    ///
    /// # Errors
    /// [`SendError`] says whether another try may help, and when.
    pub async fn send(
        &self,
        client: &Client,
        address: &ReplyAddress,
        part: &Part,
        meta: &SendMeta<'_>,
    ) -> Result<Sent, SendError> {
        match self {
            Self::Http(account) => account.send(client, address, part, meta).await,
            Self::Telegram(account) => account.send(client, address, part, meta).await,
            Self::Slack(account) => account.send(client, address, part, meta).await,
            Self::Discord(account) => account.send(client, address, part, meta).await,
        }
    }

    /// Shows the chat, for a few seconds, that the bot works on an answer. Where that cannot be shown, nothing happens.
    ///
    /// # Errors
    /// [`SendError`]. It is not worth another try.
    pub async fn show_typing(
        &self,
        client: &Client,
        address: &ReplyAddress,
        now_secs: u64,
    ) -> Result<(), SendError> {
        match self {
            Self::Http(_) => Ok(()),
            Self::Telegram(account) => account.show_typing(client, address, now_secs).await,
            Self::Slack(account) => account.show_typing(client, address, now_secs).await,
            Self::Discord(account) => account.show_typing(client, address, now_secs).await,
        }
    }

    /// Ends an answer without words: takes back what the platform shows while it waits for one.
    ///
    /// # Errors
    /// [`SendError`] says whether another try may help, and when.
    pub async fn say_nothing(
        &self,
        client: &Client,
        address: &ReplyAddress,
        now_secs: u64,
    ) -> Result<(), SendError> {
        match self {
            Self::Http(_) | Self::Telegram(_) => Ok(()),
            Self::Slack(account) => {
                account.say_nothing(client, address, now_secs).await;
                Ok(())
            }
            Self::Discord(account) => account.say_nothing(client, address, now_secs).await,
        }
    }

    /// Brings a user's file of at most `max_bytes` in, with the account's credentials where they are needed.
    /// `now_secs` counts from 1970.
    ///
    /// # Errors
    /// [`DownloadError`] says whether another try may help.
    pub async fn download(
        &self,
        client: &Client,
        file: &FileSource,
        max_bytes: u64,
        now_secs: u64,
    ) -> Result<Downloaded, DownloadError> {
        match self {
            Self::Http(_) => http::download(client, file, max_bytes).await,
            Self::Telegram(account) => account.download(client, file, max_bytes).await,
            Self::Slack(account) => account.download(client, file, max_bytes, now_secs).await,
            Self::Discord(account) => account.download(client, file, max_bytes, now_secs).await,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.kind().as_str())
    }
}
