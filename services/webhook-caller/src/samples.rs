//! What the unit tests share.

use proto_schemas::content::{ChannelKind, ReplyAddress, User, Utterance};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, TurnId, UnixMillis};
use proto_schemas::turn::{Task, Turn};

/// A turn that asks `question` after `history`.
pub(crate) fn turn(system_prompt: Option<&str>, history: Vec<Utterance>, question: Vec<Utterance>) -> Turn {
    Turn {
        id: TurnId::new("turn_a_b").unwrap(),
        conversation: ConversationId::new("conv_a").unwrap(),
        bot: BotId::new("bot_456").unwrap(),
        bot_name: "Support Bot".to_owned(),
        connection: ConnectionId::new("web").unwrap(),
        channel: ChannelKind::Http,
        address: ReplyAddress {
            chat_id: "1".to_owned(),
            thread_id: None,
            message_id: None,
            interaction: None,
        },
        user: User {
            id: "u".to_owned(),
            name: None,
            username: None,
        },
        task: Task::Ask {
            integration: IntegrationId::new("echo").unwrap(),
            arm: None,
            fallback: None,
            system_prompt: system_prompt.map(str::to_owned),
            history,
            question,
            error_message: "Sorry".to_owned(),
        },
        answers: vec![],
        answered_through: 1,
        context_revision: 0,
        answered_before: vec![],
        inbox_reaches: 0,
        accepted_at: UnixMillis(0),
        built_at: UnixMillis(0),
    }
}
