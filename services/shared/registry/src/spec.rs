//! What an operator configures.

use std::collections::BTreeMap;

use proto_schemas::content::ChannelKind;
use proto_schemas::ids::{BotId, ConnectionId, IntegrationId};
use proto_schemas::wire::Wire;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Format, SecretRef, Span, Split};

/// A file for `chatbot apply`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Manifest {
    /// The bots.
    pub bots: Vec<Bot>,
    /// The webhooks.
    pub integrations: Vec<Integration>,
    /// The accounts of channels.
    pub connections: Vec<Connection>,
}

/// A bot: who answers, with which context, in which words when it cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bot {
    /// The bot.
    pub id: BotId,
    /// The name that the webhook is told.
    pub name: String,
    /// The webhook that answers. Required, unless there is a `split`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationId>,
    /// Several webhooks that share the answers, in place of `integration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// The webhook that is asked when that one is given up for a message: its retry budget is used up, or it
    /// refuses for good. It has its own budget. It may be an arm of the split: the other arms fall back on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<IntegrationId>,
    /// What of the conversation the webhook is told.
    #[serde(default)]
    pub context: ContextPolicy,
    /// What happens to messages that arrive while one is being answered.
    #[serde(default)]
    pub overlap: Overlap,
    /// What the user is told, once, when a message cannot be answered.
    #[serde(default = "default_error_message")]
    pub error_message: String,
    /// What the user is told after `/reset`; nothing when empty.
    #[serde(default = "default_reset_message")]
    pub reset_message: String,
}

impl Wire for Bot {
    const TYPE: &'static str = "bot.v1";
}

fn default_error_message() -> String {
    "Sorry, something went wrong and I could not answer. Please try again.".to_owned()
}

fn default_reset_message() -> String {
    "Done. We start afresh: I have forgotten what was said before.".to_owned()
}

/// How much of a conversation the webhook is told. The system prompt does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ContextPolicy {
    /// At most so many messages before the question. 0 to 200; default 10.
    pub max_messages: usize,
    /// At most so many bytes of text before the question. 0 to 262144; default 65536.
    pub max_bytes: usize,
    /// Nothing older than this. Without a limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Span>,
    /// Always sent first. At most 32768 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
}

impl Default for ContextPolicy {
    fn default() -> Self {
        Self {
            max_messages: 10,
            max_bytes: 64 * 1024,
            max_age: None,
            system_prompt: None,
        }
    }
}

/// What happens to messages that arrive while one is being answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Each gets an answer of its own, in order.
    #[default]
    Queue,
    /// All that wait are answered together.
    Coalesce,
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Integration {
    /// The integration.
    pub id: IntegrationId,
    /// Where it is called. HTTPS, and publicly routable unless the outbound policy allows more.
    pub url: Url,
    /// What it speaks.
    #[serde(default, skip_serializing_if = "Format::is_platform")]
    pub format: Format,
    /// Headers of its own, at most 32, 4096 bytes each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, HeaderValue>,
    /// One deadline over connecting, TLS, headers and body. 1s to 10m; default 30s.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// Signs requests by Standard Webhooks; the secret is `whsec_` and base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<SecretRef>,
    /// Signs besides while the secret is changed: the webhook may verify by either. Needs `signing_secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_signing_secret: Option<SecretRef>,
    /// Shown to a webhook that asks for a client certificate (mTLS): PEM with the certificate, those between it and
    /// its root, and the private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<SecretRef>,
    /// How much it bears.
    #[serde(default)]
    pub limits: IntegrationLimits,
    /// How long we try.
    #[serde(default)]
    pub retry: RetryBudget,
    /// Which version of the settings this is: their revision in the bucket, which they are stored under. 0 before.
    #[serde(skip)]
    pub revision: u64,
}

impl Wire for Integration {
    const TYPE: &'static str = "integration.v1";
}

fn default_timeout() -> Span {
    Span::seconds(30)
}

/// Value of a header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum HeaderValue {
    /// It may be seen.
    Plain(String),
    /// It may not: an optional text before the secret, as `Bearer `.
    Secret {
        /// Put before the secret.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        prefix: String,
        /// The secret.
        secret: SecretRef,
    },
}

/// How much an integration bears.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct IntegrationLimits {
    /// Calls per second, of the whole cluster. 1 to 100000; without a limit when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// Calls per minute, of the whole cluster, in place of `per_second`. 1 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// Calls at once after a pause. 1 to 100000; default: `per_second`, or what a second of `per_minute` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Calls in flight, of one replica. 1 to 100000; default 256.
    pub concurrency: u32,
    /// When it is left in peace because it fails.
    #[serde(skip_serializing_if = "Breaker::is_default")]
    pub breaker: Breaker,
}

impl Default for IntegrationLimits {
    fn default() -> Self {
        Self {
            per_second: None,
            per_minute: None,
            burst: None,
            concurrency: 256,
            breaker: Breaker::default(),
        }
    }
}

/// When a webhook that fails is left in peace, by the whole cluster: a replica sees too many of its calls of the last
/// 30 to 60 s fail (network, timeout, 408, 5xx). After the pause one call tries it out; each time that fails, the next
/// pause is twice as long, up to a minute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Breaker {
    /// Whether that happens at all. Default true.
    pub enabled: bool,
    /// At least so many calls of one replica have to be there to judge by. 1 to 10000; default 10.
    pub calls: u32,
    /// So many percent of them have to fail. 1 to 100; default 60.
    pub percent: u32,
    /// The first pause. 1s to 10m; default 15s.
    pub pause: Span,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            enabled: true,
            calls: 10,
            percent: 60,
            pause: Span::seconds(15),
        }
    }
}

impl Breaker {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// When we give up. Both must be used up: a short outage of a backend must not kill every message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RetryBudget {
    /// At least so many calls. 1 to 100; default 5.
    pub attempts: u32,
    /// At least so long since the first. 0s to 3h; default 3m.
    pub max_age: Span,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            attempts: 5,
            max_age: Span::seconds(180),
        }
    }
}

/// One account of one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Connection {
    /// The connection. Part of its incoming URL.
    pub id: ConnectionId,
    /// The bot that answers here.
    pub bot: BotId,
    /// Who shares a conversation in a group.
    #[serde(default)]
    pub conversations: ConversationScope,
    /// Which messages of a group are answered.
    #[serde(default, skip_serializing_if = "GroupPolicy::is_default")]
    pub groups: GroupPolicy,
    /// What becomes of a message that its user changes afterwards, on Telegram and Slack.
    #[serde(default, skip_serializing_if = "EditPolicy::is_default")]
    pub edits: EditPolicy,
    /// Whether the chat is shown that the bot works on an answer. Default true.
    #[serde(default = "shown", skip_serializing_if = "is_shown")]
    pub typing: bool,
    /// The account.
    pub channel: ConnectionChannel,
}

fn shown() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes the field by reference"
)]
fn is_shown(typing: &bool) -> bool {
    *typing
}

impl Wire for Connection {
    const TYPE: &'static str = "connection.v1";
}

/// Who shares a conversation in a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversationScope {
    /// Everyone in the chat (and thread).
    #[default]
    Chat,
    /// Each user has one.
    User,
}

/// Which messages of a group are answered. Those that are written to the bot alone always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupPolicy {
    /// Those that name the bot, answer it or command it, and what follows in a thread that it takes part in.
    #[default]
    Addressed,
    /// All that the platform shows it.
    Always,
}

impl GroupPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a message that its user changes afterwards, on Telegram and Slack. Of Discord we read no changes, and
/// HTTP has none, so there a message stays as it was asked, whatever is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditPolicy {
    /// It stays as it was asked.
    #[default]
    Ignore,
    /// It is asked again as a new message.
    Ask,
}

impl EditPolicy {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The account behind a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionChannel {
    /// Our own HTTP channel.
    Http(HttpConnection),
    /// A Telegram bot.
    Telegram(TelegramConnection),
    /// A Slack app.
    Slack(SlackConnection),
    /// A Discord application.
    Discord(DiscordConnection),
}

impl ConnectionChannel {
    /// What becomes of a message of which nobody knows whether it has arrived. Elsewhere it is sent again, with something
    /// by which the platform knows it again.
    pub fn unknown_outcome(&self) -> UnknownOutcome {
        match self {
            Self::Telegram(telegram) => telegram.unknown_outcome,
            Self::Http(_) | Self::Slack(_) | Self::Discord(_) => UnknownOutcome::SendAgain,
        }
    }

    /// The references to its secrets, each with the name of its key.
    pub fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        // All fields are named, so that a new one is thought of here.
        match self {
            Self::Http(HttpConnection {
                secrets,
                callback_url: _,
                callback_secret,
            }) => {
                let pushes = secrets.iter().map(|secret| ("secrets", secret));
                let callbacks = callback_secret.iter();
                pushes
                    .chain(callbacks.map(|secret| ("callback_secret", secret)))
                    .collect()
            }
            Self::Telegram(TelegramConnection {
                token,
                webhook_secret,
                username: _,
                unknown_outcome: _,
                api_base: _,
            }) => vec![("token", token), ("webhook_secret", webhook_secret)],
            Self::Slack(SlackConnection {
                token,
                signing_secret,
                api_base: _,
            }) => vec![("token", token), ("signing_secret", signing_secret)],
            Self::Discord(DiscordConnection {
                token,
                application_id: _,
                public_key: _,
                gateway: _,
                api_base: _,
            }) => vec![("token", token)],
        }
    }

    /// Its kind.
    pub fn kind(&self) -> ChannelKind {
        match self {
            Self::Http(_) => ChannelKind::Http,
            Self::Telegram(_) => ChannelKind::Telegram,
            Self::Slack(_) => ChannelKind::Slack,
            Self::Discord(_) => ChannelKind::Discord,
        }
    }
}

/// An account of the HTTP channel: Standard Webhooks both ways (`channels.md`, section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpConnection {
    /// Verifies what is pushed to us. More than one during a rotation.
    pub secrets: Vec<SecretRef>,
    /// Where replies are posted. Without it they are only kept in the transcript, as for the console's playground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<Url>,
    /// Signs them. It is there where an address is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_secret: Option<SecretRef>,
}

/// A Telegram bot (`channels.md`, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TelegramConnection {
    /// The bot's token.
    pub token: SecretRef,
    /// What Telegram sends in `X-Telegram-Bot-Api-Secret-Token`.
    pub webhook_secret: SecretRef,
    /// The bot's username without `@`: by it the bot knows in groups what is meant for it, and ignores commands for other
    /// bots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// What becomes of a message of which nobody knows whether it has arrived.
    #[serde(default, skip_serializing_if = "UnknownOutcome::is_default")]
    pub unknown_outcome: UnknownOutcome,
    /// The Bot API server.
    #[serde(default = "default_telegram_api")]
    pub api_base: Url,
}

/// What becomes of a message of which nobody knows whether it has arrived, because the answer was lost or a process died.
/// Telegram has nothing by which it would know the message again (`channels.md`, section 2.5.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownOutcome {
    /// It is sent again: it arrives at least once.
    #[default]
    SendAgain,
    /// It is given up, with a dead letter: it arrives at most once.
    GiveUp,
}

impl UnknownOutcome {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn default_telegram_api() -> Url {
    Url::parse("https://api.telegram.org").expect("the literal is a URL")
}

/// A Slack app in one workspace (`channels.md`, section 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlackConnection {
    /// The bot's token, `xoxb-…`.
    pub token: SecretRef,
    /// What Slack signs its requests with.
    pub signing_secret: SecretRef,
    /// The Web API. The token goes to this host and those below it, and to no other.
    #[serde(default = "default_slack_api")]
    pub api_base: Url,
}

fn default_slack_api() -> Url {
    Url::parse("https://slack.com/api").expect("the literal is a URL")
}

/// A Discord application with its bot (`channels.md`, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiscordConnection {
    /// The bot's token.
    pub token: SecretRef,
    /// The application's identifier.
    pub application_id: String,
    /// What Discord signs interactions with can be checked by it: 64 hexadecimal digits, no secret.
    pub public_key: String,
    /// Whether plain messages are read through the Gateway, and not only commands and buttons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// The REST API.
    #[serde(default = "default_discord_api")]
    pub api_base: Url,
}

/// How plain messages of Discord are read (`channels.md`, section 4.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gateway {
    /// The address of the Gateway.
    #[serde(default = "default_discord_gateway")]
    pub url: Url,
}

fn default_discord_api() -> Url {
    Url::parse("https://discord.com/api/v10").expect("the literal is a URL")
}

fn default_discord_gateway() -> Url {
    Url::parse("wss://gateway.discord.gg").expect("the literal is a URL")
}
