//! `DELIVERIES`: replies to send, at most one per conversation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{ChannelKind, ReplyAddress, User, Utterance};
use crate::context::Conclusion;
use crate::ids::{BotId, ConnectionId, ConversationId, MessageId, UnixMillis};
use crate::wire::Wire;

/// A finished turn on its way to the chat. A turn with nothing to say travels too: it ends in a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// The conversation.
    pub conversation: ConversationId,
    /// The bot.
    pub bot: BotId,
    /// The connection that sends it.
    pub connection: ConnectionId,
    /// The kind of that connection.
    pub channel: ChannelKind,
    /// Where it goes.
    pub address: ReplyAddress,
    /// Who asked.
    pub user: User,
    /// The messages that are answered, oldest first.
    pub answers: Vec<MessageId>,
    /// Where the conversation's cursor stands after the turn. Grows from delivery to delivery, so a delivery
    /// at or below the last transcript's is a repetition.
    pub answered_through: u64,
    /// What was asked, for the transcript.
    pub question: Vec<Utterance>,
    /// How the turn ended.
    pub conclusion: Conclusion,
    /// When ingress took the first of the messages.
    pub accepted_at: UnixMillis,
    /// When the turn was built.
    pub built_at: UnixMillis,
    /// How often an operator has sent it again; 0 for the pipeline's own.
    #[serde(default)]
    pub replay: u32,
}

impl Wire for Delivery {
    const TYPE: &'static str = "delivery.v1";
}
