//! `contexts`: what has been said, one record per conversation, written by compare-and-set only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{Attachment, Button, Utterance};
use crate::ids::{ConversationId, IntegrationId, MessageId, TurnId, UnixMillis};
use crate::wire::Wire;

/// How many message identifiers a record remembers, so that a message pushed again after the server's
/// duplicate window is recognised.
pub const REMEMBERED_MESSAGES: usize = 32;

/// A conversation up to its last finished turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// The conversation.
    pub conversation: ConversationId,
    /// Every inbox entry up to this stream sequence has its outcome.
    pub answered_through: u64,
    /// The inbox is known to reach at least this stream sequence: whoever decides must have read so far. Beyond
    /// `answered_through` when a turn was dropped that answered more.
    #[serde(default)]
    pub inbox_reaches: u64,
    /// What has been said and still counts, oldest first, as the bot's context policy left it.
    pub utterances: Vec<Utterance>,
    /// The last answered messages, oldest first, at most [`REMEMBERED_MESSAGES`].
    pub answered: Vec<MessageId>,
    /// How the last turn ended.
    pub last: Conclusion,
}

/// Header that repeats [`Context::answered_through`].
pub const ANSWERED_THROUGH: &str = "Answered-Through";
/// Header that repeats [`Context::inbox_reaches`].
pub const INBOX_REACHES: &str = "Inbox-Reaches";

impl Wire for Context {
    const TYPE: &'static str = "context.v1";

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![
            (ANSWERED_THROUGH, self.answered_through.to_string()),
            (INBOX_REACHES, self.inbox_reaches.to_string()),
        ]
    }
}

/// How a turn ended. Holds all that a delivery needs, so that a turn which comes again after a crash can be
/// carried on from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conclusion {
    /// The turn.
    pub turn: TurnId,
    /// What is told to the user.
    pub result: TurnResult,
    /// The integration that gave the answer, or was asked last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationId>,
    /// The arm of the bot's split that the turn counts for, even if the fallback answered; none where the bot has no
    /// split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arm: Option<IntegrationId>,
    /// How many HTTP calls it took.
    pub attempts: u32,
    /// How long the last call took, in milliseconds.
    pub webhook_millis: u64,
    /// When it was committed.
    pub committed_at: UnixMillis,
}

/// What a turn gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TurnResult {
    /// The webhook answered.
    Reply {
        /// The text; may be empty when there are attachments.
        content: String,
        /// Files to send along.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
        /// What the user may press.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<Button>,
        /// Kept in the transcript, never sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<serde_json::Map<String, serde_json::Value>>,
    },
    /// The webhook answered that there is nothing to say (204, or empty content).
    NoReply,
    /// We gave up; the user is told once.
    Failure {
        /// The class of the last error.
        class: String,
        /// The bot's error message.
        message: String,
    },
    /// The conversation starts afresh.
    Reset {
        /// What the user is told; nothing is sent when empty.
        message: String,
    },
}

impl TurnResult {
    /// The text that goes to the chat; empty when there is none.
    pub fn text(&self) -> &str {
        match self {
            Self::Reply { content, .. } => content,
            Self::NoReply => "",
            Self::Failure { message, .. } | Self::Reset { message } => message,
        }
    }

    /// The files that go to the chat.
    pub fn attachments(&self) -> &[Attachment] {
        match self {
            Self::Reply { attachments, .. } => attachments,
            Self::NoReply | Self::Failure { .. } | Self::Reset { .. } => &[],
        }
    }

    /// What the user may press.
    pub fn buttons(&self) -> &[Button] {
        match self {
            Self::Reply { buttons, .. } => buttons,
            Self::NoReply | Self::Failure { .. } | Self::Reset { .. } => &[],
        }
    }

    /// The name used in metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Reply { .. } => "reply",
            Self::NoReply => "no_reply",
            Self::Failure { .. } => "failure",
            Self::Reset { .. } => "reset",
        }
    }
}
