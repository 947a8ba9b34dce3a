//! `TURNS`: webhook calls to make, at most one per conversation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{ChannelKind, ReplyAddress, User, Utterance};
use crate::ids::{BotId, ConnectionId, ConversationId, IntegrationId, MessageId, TurnId, UnixMillis};
use crate::wire::Wire;

/// One question to the webhook, with all that is needed to ask it and to write down the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// The turn.
    pub id: TurnId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The bot.
    pub bot: BotId,
    /// The bot's name, as the webhook is told.
    pub bot_name: String,
    /// The connection that the answer goes out through.
    pub connection: ConnectionId,
    /// The kind of that connection.
    pub channel: ChannelKind,
    /// Where the answer goes.
    pub address: ReplyAddress,
    /// Who asks.
    pub user: User,
    /// What is to be done.
    pub task: Task,
    /// The messages that get their outcome by this turn, oldest first.
    pub answers: Vec<MessageId>,
    /// Where the conversation's cursor stands after this turn.
    pub answered_through: u64,
    /// The revision of the context that the turn was built on; 0 when there was none.
    pub context_revision: u64,
    /// The messages answered before, carried over from the context.
    pub answered_before: Vec<MessageId>,
    /// How far the inbox is known to reach: a sequence, of the context it was built on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub inbox_reaches: u64,
    /// When ingress took the first of the messages.
    pub accepted_at: UnixMillis,
    /// When the turn was built.
    pub built_at: UnixMillis,
}

impl Wire for Turn {
    const TYPE: &'static str = "turn.v1";
}

/// What a turn asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Task {
    /// Ask the webhook.
    Ask {
        /// The webhook.
        integration: IntegrationId,
        /// The arm of the bot's split that this turn counts for, whoever answers in the end; none where the bot has
        /// no split.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arm: Option<IntegrationId>,
        /// The webhook that is asked when that one is given up.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback: Option<IntegrationId>,
        /// The bot's system prompt, not counted by the context policy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system_prompt: Option<String>,
        /// What was said before, after the bot's context policy.
        history: Vec<Utterance>,
        /// What is asked now.
        question: Vec<Utterance>,
        /// What the user is told if every attempt fails.
        error_message: String,
    },
    /// Forget what was said. Calls no webhook, but takes its place in the order of the conversation.
    Reset {
        /// What the user is told; nothing is sent when empty.
        message: String,
    },
}

fn is_zero(sequence: &u64) -> bool {
    *sequence == 0
}
