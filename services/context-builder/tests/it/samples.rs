//! Inbox entries as ingress writes them, and answers as webhook-caller commits them.

use proto_schemas::content::{ChannelKind, ReplyAddress, Role, User, Utterance};
use proto_schemas::context::{Conclusion, TurnResult};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, MessageId, TurnId, UnixMillis};
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::turn::{Task, Turn};
use runtime::clock;

/// The one conversation of most tests.
pub(crate) fn conversation() -> ConversationId {
    ConversationId::new("conv_a").unwrap()
}

pub(crate) fn message(number: usize) -> MessageId {
    MessageId::new(format!("msg_a_m{number}")).unwrap()
}

/// Message `number`, which says `q{number}`.
pub(crate) fn received(number: usize) -> Received {
    Received {
        message_id: message(number),
        conversation: conversation(),
        bot: BotId::new("support").unwrap(),
        connection: ConnectionId::new("web").unwrap(),
        channel: ChannelKind::Http,
        address: ReplyAddress {
            chat_id: "chat".to_owned(),
            thread_id: None,
            message_id: Some(number.to_string()),
            interaction: None,
        },
        user: User {
            id: "ada".to_owned(),
            name: Some("Ada".to_owned()),
            username: None,
        },
        text: format!("q{number}"),
        files: vec![],
        album: None,
        replay_of: None,
        accepted_at: clock::now(),
    }
}

pub(crate) fn text(number: usize) -> InboxEntry {
    InboxEntry::Received(received(number))
}

pub(crate) fn reset(number: usize) -> InboxEntry {
    InboxEntry::Reset(received(number))
}

/// The turn of message 1, alone at the beginning of the conversation's inbox.
pub(crate) fn first_turn() -> Turn {
    let received = received(1);
    let question = Utterance {
        role: Role::User,
        text: received.text,
        files: vec![],
        message_id: Some(message(1)),
        at: received.accepted_at,
    };
    Turn {
        id: TurnId::new("turn_a_m1").unwrap(),
        conversation: received.conversation,
        bot: received.bot,
        bot_name: "Support Bot".to_owned(),
        connection: received.connection,
        channel: received.channel,
        address: received.address,
        user: received.user,
        task: Task::Ask {
            integration: IntegrationId::new("echo").unwrap(),
            arm: None,
            fallback: None,
            system_prompt: None,
            history: vec![],
            question: vec![question],
            error_message: "Sorry.".to_owned(),
        },
        answers: vec![message(1)],
        answered_through: 1,
        context_revision: 0,
        answered_before: vec![],
        inbox_reaches: 0,
        accepted_at: received.accepted_at,
        built_at: received.accepted_at,
    }
}

/// The webhook's answer to a turn.
pub(crate) fn reply(turn: &Turn, content: &str) -> Conclusion {
    Conclusion {
        turn: turn.id.clone(),
        result: TurnResult::Reply {
            content: content.to_owned(),
            attachments: vec![],
            buttons: vec![],
            metadata: None,
        },
        integration: None,
        arm: None,
        attempts: 1,
        webhook_millis: 5,
        committed_at: UnixMillis(clock::now().0),
    }
}

/// The texts of a turn's history and of its question.
pub(crate) fn asked(turn: &Turn) -> (Vec<&str>, Vec<&str>) {
    match &turn.task {
        Task::Ask {
            history, question, ..
        } => (texts(history), texts(question)),
        Task::Reset { .. } => panic!("{} asks nothing", turn.id),
    }
}

fn texts(said: &[Utterance]) -> Vec<&str> {
    said.iter().map(|utterance| utterance.text.as_str()).collect()
}
