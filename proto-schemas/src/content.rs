//! What people and bots say: texts and files.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{MessageId, UnixMillis};

/// The kinds of chat platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// Our own HTTP channel.
    Http,
    /// Telegram's Bot API.
    Telegram,
    /// Slack's Events API and Web API.
    Slack,
    /// Discord's interactions, Gateway and REST API.
    Discord,
}

impl ChannelKind {
    /// All kinds, for metric series that are born at zero.
    pub const ALL: [Self; 4] = [Self::Http, Self::Telegram, Self::Slack, Self::Discord];

    /// The name used in payloads, metrics and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Telegram => "telegram",
            Self::Slack => "slack",
            Self::Discord => "discord",
        }
    }
}

/// Who wrote a message, in the platform's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// The platform's identifier of the user.
    pub id: String,
    /// The name people see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The handle, without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// Where a reply goes, in the platform's own terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyAddress {
    /// The platform's identifier of the chat.
    pub chat_id: String,
    /// The thread or topic inside the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// The platform's identifier of the message that is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// A way back that the platform keeps open for a while; the chat itself is the way afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<Interaction>,
}

/// A way to answer that is open for a while (`channels.md`, section 4.5.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Interaction {
    /// What opens it. Whoever has it can answer as the bot, so it is not shown.
    pub token: String,
    /// Until when it is open.
    pub expires_at: UnixMillis,
}

impl Interaction {
    /// Whether it is open at a time.
    pub fn is_open(&self, now: UnixMillis) -> bool {
        now < self.expires_at
    }
}

impl fmt::Debug for Interaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interaction")
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Who said something in a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person in the chat.
    User,
    /// The bot.
    Assistant,
}

impl Role {
    /// The name that webhooks and the APIs of models have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One thing said in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Utterance {
    /// Who said it.
    pub role: Role,
    /// What was said; may be empty when there are files.
    pub text: String,
    /// The files that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<IncomingFile>,
    /// The message it comes from; none for a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<MessageId>,
    /// When it was accepted or committed.
    pub at: UnixMillis,
}

impl Utterance {
    /// What it weighs against the context's limit in bytes: its text and its file names.
    pub fn weight(&self) -> usize {
        self.text.len() + self.files.iter().map(|file| file.name().len()).sum::<usize>()
    }
}

/// A file in the object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredFile {
    /// Its key in the object store.
    pub key: String,
    /// Its name, sanitised.
    pub name: String,
    /// Its media type.
    pub mime_type: String,
    /// Its size.
    pub bytes: u64,
}

/// What became of a user's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum IncomingFile {
    /// It lies in the object store.
    Stored(StoredFile),
    /// It cannot be had; the model is told so.
    Unavailable {
        /// The name that the platform gave.
        name: String,
        /// Why, in words that may be shown to the model. Holds no secret.
        reason: String,
    },
}

impl IncomingFile {
    /// The file's name, whatever became of it.
    pub fn name(&self) -> &str {
        match self {
            Self::Stored(file) => &file.name,
            Self::Unavailable { name, .. } => name,
        }
    }
}

/// A file that a user sent and where it can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileSource {
    /// The name that the platform gave, or one made up for it.
    pub name: String,
    /// The media type that the platform claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// The size that the platform claims, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Where it is.
    pub location: FileLocation,
}

/// Where a user's file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum FileLocation {
    /// On the platform; the connection's credentials fetch it.
    Platform {
        /// The platform's identifier of the file.
        file_id: String,
    },
    /// At a URL that anyone may read.
    Url {
        /// The address; checked against the outbound policy when fetched.
        url: String,
    },
    /// In the object store already.
    Stored(StoredFile),
}

/// A button under a reply. Pressed, it is the user's next message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// What the user says by pressing it; the label if there is none. At most 64 bytes, which every channel takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The page that it opens instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Button {
    /// What the user says by pressing it, unless it opens a page.
    pub fn said(&self) -> &str {
        self.value.as_deref().unwrap_or(&self.label)
    }
}

/// A file that a webhook wants to send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attachment {
    /// Where the webhook's owner serves it.
    pub url: String,
    /// The name it is to have in the chat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}
