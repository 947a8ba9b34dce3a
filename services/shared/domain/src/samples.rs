//! Small conversations for the tests.

use proto_schemas::content::{
    ChannelKind, FileLocation, FileSource, IncomingFile, ReplyAddress, Role, StoredFile, User, Utterance,
};
use proto_schemas::context::{Conclusion, TurnResult};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, MessageId, TurnId, UnixMillis};
use proto_schemas::inbox::{Attached, InboxEntry, Received};
use proto_schemas::turn::{Task, Turn};

use crate::decide::{Decision, Pending};
use crate::policy::{BotPolicy, Overlap};
use crate::split::Webhook;

pub(crate) fn message(n: usize) -> MessageId {
    MessageId::new(format!("msg_chat_m{n}")).unwrap()
}

pub(crate) fn conversation() -> ConversationId {
    ConversationId::new("conv_chat").unwrap()
}

pub(crate) fn policy() -> BotPolicy {
    BotPolicy {
        name: "Support Bot".to_owned(),
        webhook: Webhook::One(IntegrationId::new("echo").unwrap()),
        fallback: None,
        max_messages: 10,
        max_bytes: 64 * 1024,
        max_age: None,
        system_prompt: Some("Be brief.".to_owned()),
        overlap: Overlap::Queue,
        error_message: "Sorry.".to_owned(),
        reset_message: "Done.".to_owned(),
    }
}

pub(crate) fn unlimited() -> BotPolicy {
    BotPolicy {
        max_messages: usize::MAX,
        max_bytes: usize::MAX,
        ..policy()
    }
}

pub(crate) fn coalesce() -> BotPolicy {
    BotPolicy {
        overlap: Overlap::Coalesce,
        ..unlimited()
    }
}

/// Message `n`, accepted `n` seconds after the beginning of time.
pub(crate) fn received(n: usize, text: &str) -> Received {
    Received {
        message_id: message(n),
        conversation: conversation(),
        bot: BotId::new("bot_456").unwrap(),
        connection: ConnectionId::new("telegram").unwrap(),
        channel: ChannelKind::Telegram,
        address: ReplyAddress {
            chat_id: "123456789".to_owned(),
            thread_id: None,
            message_id: Some(n.to_string()),
            interaction: None,
        },
        user: User {
            id: "user_123".to_owned(),
            name: Some("John Doe".to_owned()),
            username: Some("johndoe".to_owned()),
        },
        text: text.to_owned(),
        files: Vec::new(),
        album: None,
        replay_of: None,
        accepted_at: UnixMillis(n as u64 * 1000),
    }
}

/// Message `n` with one file that lies on the platform.
pub(crate) fn with_file(n: usize) -> InboxEntry {
    let source = FileSource {
        name: format!("{n}.png"),
        mime_type: None,
        bytes: None,
        location: FileLocation::Platform {
            file_id: n.to_string(),
        },
    };
    InboxEntry::Received(Received {
        files: vec![source],
        ..received(n, "look")
    })
}

pub(crate) fn text(n: usize) -> InboxEntry {
    InboxEntry::Received(received(n, &format!("q{n}")))
}

pub(crate) fn reset(n: usize) -> InboxEntry {
    InboxEntry::Reset(received(n, "/reset"))
}

pub(crate) fn stored(n: usize) -> StoredFile {
    StoredFile {
        key: format!("in/{n}"),
        name: format!("{n}.png"),
        mime_type: "image/png".to_owned(),
        bytes: 3,
    }
}

/// Message `n`, a picture of an album.
pub(crate) fn of_album(n: usize, album: &str) -> InboxEntry {
    let InboxEntry::Received(picture) = with_file(n) else {
        panic!("a message with a file is received")
    };
    InboxEntry::Received(Received {
        album: Some(album.to_owned()),
        ..picture
    })
}

pub(crate) fn attached(n: usize) -> InboxEntry {
    let files = vec![IncomingFile::Stored(stored(n))];
    InboxEntry::Attached(Attached {
        message_id: message(n),
        files,
        album: None,
    })
}

/// The entries at sequences 1, 2, 3, …
pub(crate) fn inbox(entries: impl IntoIterator<Item = InboxEntry>) -> Vec<Pending> {
    (1..)
        .zip(entries)
        .map(|(sequence, entry)| Pending { sequence, entry })
        .collect()
}

/// What message `n` becomes in a context.
pub(crate) fn question(n: usize, text: &str) -> Utterance {
    Utterance {
        role: Role::User,
        text: text.to_owned(),
        files: Vec::new(),
        message_id: Some(message(n)),
        at: UnixMillis(n as u64 * 1000),
    }
}

pub(crate) fn answer(text: &str) -> Utterance {
    Utterance {
        role: Role::Assistant,
        text: text.to_owned(),
        files: Vec::new(),
        message_id: None,
        at: UnixMillis(9_000),
    }
}

/// A turn that asks message 3 after `history`.
pub(crate) fn turn(history: Vec<Utterance>, question: Vec<Utterance>) -> Turn {
    let last = received(3, "");
    Turn {
        id: TurnId::new("turn_chat_m3").unwrap(),
        conversation: last.conversation,
        bot: last.bot,
        bot_name: "Support Bot".to_owned(),
        connection: last.connection,
        channel: last.channel,
        address: last.address,
        user: last.user,
        task: Task::Ask {
            integration: IntegrationId::new("echo").unwrap(),
            arm: None,
            fallback: None,
            system_prompt: None,
            history,
            question,
            error_message: "Sorry.".to_owned(),
        },
        answers: vec![message(3)],
        answered_through: 3,
        context_revision: 1,
        answered_before: vec![message(1), message(2)],
        inbox_reaches: 0,
        accepted_at: UnixMillis(3_000),
        built_at: UnixMillis(4_000),
    }
}

pub(crate) fn reset_turn() -> Turn {
    Turn {
        task: Task::Reset {
            message: "Done.".to_owned(),
        },
        ..turn(Vec::new(), Vec::new())
    }
}

pub(crate) fn conclusion(turn: &Turn, result: TurnResult) -> Conclusion {
    Conclusion {
        turn: turn.id.clone(),
        result,
        integration: None,
        arm: None,
        attempts: 1,
        webhook_millis: 10,
        committed_at: UnixMillis(9_000),
    }
}

pub(crate) fn reply(content: &str) -> TurnResult {
    TurnResult::Reply {
        content: content.to_owned(),
        attachments: Vec::new(),
        buttons: Vec::new(),
        metadata: None,
    }
}

pub(crate) fn failure() -> TurnResult {
    TurnResult::Failure {
        class: "timeout".to_owned(),
        message: "Sorry.".to_owned(),
    }
}

pub(crate) fn called(decision: Decision) -> Turn {
    match decision {
        Decision::Call(turn) => *turn,
        Decision::Idle | Decision::Wait { .. } | Decision::Fetch(_) => panic!("no turn is due: {decision:?}"),
    }
}

/// What a turn asks: the texts of its history and of its question.
pub(crate) fn asked(turn: &Turn) -> (Vec<String>, Vec<String>) {
    let texts = |said: &[Utterance]| said.iter().map(|utterance| utterance.text.clone()).collect();
    match &turn.task {
        Task::Ask {
            history, question, ..
        } => (texts(history), texts(question)),
        Task::Reset { .. } => panic!("the turn asks nothing"),
    }
}
