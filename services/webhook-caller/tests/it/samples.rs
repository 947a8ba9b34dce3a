//! Turns as context-builder makes them.

use proto_schemas::content::{ChannelKind, ReplyAddress, Role, User, Utterance};
use proto_schemas::context::{Conclusion, Context, TurnResult};
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, MessageId, TurnId, UnixMillis};
use proto_schemas::turn::{Task, Turn};

/// What the user is told when every attempt fails.
pub(crate) const SORRY: &str = "Sorry, no answer.";

/// The first turn of conversation `conv_{name}`, for the integration `echo`.
pub(crate) fn turn(name: &str) -> Turn {
    turn_for("echo", name)
}

/// The first turn of conversation `conv_{name}`.
pub(crate) fn turn_for(integration: &str, name: &str) -> Turn {
    let message = MessageId::new(format!("msg_{name}_m1")).unwrap();
    let question = utterance(Role::User, "Hello!", Some(message.clone()));
    Turn {
        id: TurnId::new(format!("turn_{name}_m1")).unwrap(),
        conversation: ConversationId::new(format!("conv_{name}")).unwrap(),
        bot: BotId::new("bot_456").unwrap(),
        bot_name: "Support Bot".to_owned(),
        connection: ConnectionId::new("support-telegram").unwrap(),
        channel: ChannelKind::Telegram,
        address: ReplyAddress {
            chat_id: "123456789".to_owned(),
            thread_id: None,
            message_id: Some("789".to_owned()),
            interaction: None,
        },
        user: User {
            id: "user_123".to_owned(),
            name: Some("John Doe".to_owned()),
            username: Some("johndoe".to_owned()),
        },
        task: ask(integration, vec![], vec![question]),
        answers: vec![message],
        answered_through: 1,
        context_revision: 0,
        answered_before: vec![],
        inbox_reaches: 0,
        accepted_at: UnixMillis(1_000),
        built_at: UnixMillis(2_000),
    }
}

pub(crate) fn ask(integration: &str, history: Vec<Utterance>, question: Vec<Utterance>) -> Task {
    Task::Ask {
        integration: IntegrationId::new(integration).unwrap(),
        arm: None,
        fallback: None,
        system_prompt: Some("Be brief.".to_owned()),
        history,
        question,
        error_message: SORRY.to_owned(),
    }
}

/// The same turn, with `spare` to be asked when its integration is given up.
pub(crate) fn falling_back(mut turn: Turn) -> Turn {
    if let Task::Ask { fallback, .. } = &mut turn.task {
        *fallback = Some(IntegrationId::new("spare").unwrap());
    }
    turn
}

/// The same turn, as of a bot with a split: it counts for the arm that it asks.
pub(crate) fn of_an_arm(mut turn: Turn) -> Turn {
    if let Task::Ask { integration, arm, .. } = &mut turn.task {
        *arm = Some(integration.clone());
    }
    turn
}

pub(crate) fn utterance(role: Role, text: &str, message_id: Option<MessageId>) -> Utterance {
    Utterance {
        role,
        text: text.to_owned(),
        files: vec![],
        message_id,
        at: UnixMillis(1_000),
    }
}

pub(crate) fn reply(content: &str) -> TurnResult {
    TurnResult::Reply {
        content: content.to_owned(),
        attachments: vec![],
        buttons: vec![],
        metadata: None,
    }
}

pub(crate) fn conclusion(turn: &Turn, result: TurnResult) -> Conclusion {
    Conclusion {
        turn: turn.id.clone(),
        result,
        integration: Some(IntegrationId::new("echo").unwrap()),
        arm: None,
        attempts: 1,
        webhook_millis: 5,
        committed_at: UnixMillis(3_000),
    }
}

/// The context after `turn` was answered with `content`.
pub(crate) fn context(turn: &Turn, content: &str) -> Context {
    Context {
        conversation: turn.conversation.clone(),
        answered_through: turn.answered_through,
        inbox_reaches: turn.answered_through,
        utterances: vec![utterance(Role::Assistant, content, None)],
        answered: turn.answers.clone(),
        last: conclusion(turn, reply(content)),
    }
}

/// Another turn of the same conversation, which answers a message of its own.
pub(crate) fn rival(of: &Turn) -> Turn {
    let conversation = of.conversation.as_str().strip_prefix("conv_").unwrap();
    Turn {
        id: TurnId::new(format!("turn_{conversation}_rival")).unwrap(),
        answers: vec![MessageId::new(format!("msg_{conversation}_rival")).unwrap()],
        ..of.clone()
    }
}

pub(crate) fn delivery(turn: &Turn, content: &str) -> Delivery {
    Delivery {
        conversation: turn.conversation.clone(),
        bot: turn.bot.clone(),
        connection: turn.connection.clone(),
        channel: turn.channel,
        address: turn.address.clone(),
        user: turn.user.clone(),
        answers: turn.answers.clone(),
        answered_through: turn.answered_through,
        question: vec![],
        conclusion: conclusion(turn, reply(content)),
        accepted_at: turn.accepted_at,
        built_at: turn.built_at,
        replay: 0,
    }
}
