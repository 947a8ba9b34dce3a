//! `TRANSCRIPTS`: one entry per finished turn. Also the receipt by which a repeated delivery is recognised.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{ChannelKind, User, Utterance};
use crate::context::{ANSWERED_THROUGH, Conclusion};
use crate::ids::{BotId, ConnectionId, ConversationId, MessageId, UnixMillis};
use crate::wire::Wire;

/// A finished turn: what was asked, what was answered, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Transcript {
    /// The conversation.
    pub conversation: ConversationId,
    /// The bot.
    pub bot: BotId,
    /// The connection.
    pub connection: ConnectionId,
    /// The kind of that connection.
    pub channel: ChannelKind,
    /// Who asked.
    pub user: User,
    /// The messages that got their outcome, oldest first.
    pub answers: Vec<MessageId>,
    /// Where the conversation's cursor stands after the turn.
    pub answered_through: u64,
    /// What was asked.
    pub question: Vec<Utterance>,
    /// How the turn ended.
    pub conclusion: Conclusion,
    /// What became of the reply.
    pub receipt: Receipt,
    /// When ingress took the first of the messages.
    pub accepted_at: UnixMillis,
    /// When the turn was built.
    pub built_at: UnixMillis,
    /// When egress was done with it.
    pub concluded_at: UnixMillis,
    /// How often an operator had sent it again.
    #[serde(default)]
    pub replay: u32,
}

impl Wire for Transcript {
    const TYPE: &'static str = "transcript.v1";

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![(ANSWERED_THROUGH, self.answered_through.to_string())]
    }
}

/// What became of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "receipt", rename_all = "snake_case")]
pub enum Receipt {
    /// The platform took it.
    Sent {
        /// The platform's identifiers of the parts, in order.
        platform_message_ids: Vec<String>,
    },
    /// There was nothing to send.
    Nothing,
    /// The platform refused it for good; a dead letter holds it.
    Undeliverable {
        /// The class of the dead letter.
        class: String,
    },
}
