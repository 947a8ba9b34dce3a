//! The turn that a test asks: user and bot of the guide's own example (`webhook-guide.txt`, "Manual Testing"). It is in
//! no stream, and its conversation exists nowhere.

use bus::TraceContext;
use proto_schemas::content::{ChannelKind, ReplyAddress, Role, User, Utterance};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, InvalidId, MessageId, TurnId, UnixMillis};
use proto_schemas::integration_test::IntegrationTest;
use proto_schemas::turn::{Task, Turn};

/// A turn of a conversation of its own, so that a webhook sees each test as new.
pub(super) fn turn(test: &IntegrationTest, trace: TraceContext, now: UnixMillis) -> Result<Turn, InvalidId> {
    let token = trace.trace_id();
    let message = MessageId::new(format!("msg_test_{token}"))?;
    let question = Utterance {
        role: Role::User,
        text: test.message.clone(),
        files: Vec::new(),
        message_id: Some(message.clone()),
        at: now,
    };
    Ok(Turn {
        id: TurnId::new(format!("turn_test_{token}"))?,
        conversation: ConversationId::new(format!("test_{token}"))?,
        bot: BotId::new("test_bot")?,
        bot_name: "Test Bot".to_owned(),
        connection: ConnectionId::new("test")?,
        channel: ChannelKind::Telegram,
        address: ReplyAddress {
            chat_id: "test_chat".to_owned(),
            thread_id: None,
            message_id: None,
            interaction: None,
        },
        user: User {
            id: "test_user".to_owned(),
            name: None,
            username: None,
        },
        task: Task::Ask {
            integration: test.integration.clone(),
            arm: None,
            fallback: None,
            system_prompt: None,
            history: Vec::new(),
            question: vec![question],
            error_message: String::new(),
        },
        answers: vec![message],
        answered_through: 0,
        context_revision: 0,
        answered_before: Vec::new(),
        inbox_reaches: 0,
        accepted_at: now,
        built_at: now,
    })
}
