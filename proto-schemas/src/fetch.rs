//! `FETCHES`: files to bring in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{Attachment, FileSource};
use crate::ids::{ConnectionId, ConversationId, MessageId, TurnId};
use crate::wire::Wire;

/// Files to bring into the object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "direction", rename_all = "snake_case")]
pub enum Fetch {
    /// A user's files; the outcome is appended to the inbox.
    In {
        /// The message they came with.
        message_id: MessageId,
        /// Its conversation.
        conversation: ConversationId,
        /// The connection whose credentials fetch them.
        connection: ConnectionId,
        /// The files, in order.
        files: Vec<FileSource>,
        /// The album that the message is part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        album: Option<String>,
    },
    /// A reply's files; the outcome is left in `progress` for egress.
    Out {
        /// The turn whose reply they belong to.
        turn: TurnId,
        /// Its conversation.
        conversation: ConversationId,
        /// The files, in order.
        files: Vec<Attachment>,
    },
}

impl Wire for Fetch {
    const TYPE: &'static str = "fetch.v1";
}
