//! `INBOX`: what arrived in a conversation, in order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{ChannelKind, FileLocation, FileSource, IncomingFile, ReplyAddress, User};
use crate::ids::{BotId, ConnectionId, ConversationId, MessageId, UnixMillis};
use crate::wire::Wire;

/// One entry of a conversation's inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum InboxEntry {
    /// A user's message.
    Received(Received),
    /// The files of a message were brought in, or cannot be.
    Attached(Attached),
    /// The user wants to start afresh: what was said before no longer counts.
    Reset(Received),
}

impl Wire for InboxEntry {
    const TYPE: &'static str = "inbox-entry.v1";
}

impl InboxEntry {
    /// The message that the entry is about.
    pub fn message_id(&self) -> &MessageId {
        match self {
            Self::Received(received) | Self::Reset(received) => &received.message_id,
            Self::Attached(attached) => &attached.message_id,
        }
    }
}

/// A user's message, as the channel delivered it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    /// The message.
    pub message_id: MessageId,
    /// The conversation it belongs to.
    pub conversation: ConversationId,
    /// The bot that is to answer.
    pub bot: BotId,
    /// The connection it came through.
    pub connection: ConnectionId,
    /// The kind of that connection.
    pub channel: ChannelKind,
    /// Where the reply goes.
    pub address: ReplyAddress,
    /// Who wrote it.
    pub user: User,
    /// What was written; may be empty when there are files.
    pub text: String,
    /// The files that came with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileSource>,
    /// The album that it is part of: messages with the same name that follow each other were sent together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
    /// The failed message that this one asks again, when an operator replayed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<MessageId>,
    /// When ingress took it.
    pub accepted_at: UnixMillis,
}

impl Received {
    /// The files as they stand when nothing has to be fetched; none if one is still elsewhere.
    pub fn stored_files(&self) -> Option<Vec<IncomingFile>> {
        self.files
            .iter()
            .map(|file| match &file.location {
                FileLocation::Stored(stored) => Some(IncomingFile::Stored(stored.clone())),
                FileLocation::Platform { .. } | FileLocation::Url { .. } => None,
            })
            .collect()
    }
}

/// What became of a message's files, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attached {
    /// The message that the files came with.
    pub message_id: MessageId,
    /// One outcome for each of its files.
    pub files: Vec<IncomingFile>,
    /// The album that the message is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub album: Option<String>,
}
