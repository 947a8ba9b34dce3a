//! Deliveries as webhook-caller publishes them.

use proto_schemas::content::{
    Attachment, ChannelKind, Interaction, ReplyAddress, Role, StoredFile, User, Utterance,
};
use proto_schemas::context::{Conclusion, TurnResult};
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, IntegrationId, MessageId, TurnId, UnixMillis};
use proto_schemas::transcript::{Receipt, Transcript};
use runtime::clock;

/// The Telegram chat of these tests: one with a single person.
pub(crate) const CHAT: i64 = 42;

/// The Slack channel of these tests.
pub(crate) const CHANNEL: &str = "C00FAKECHAN1";
/// The thread in it.
pub(crate) const THREAD: &str = "1766458026.240809";

/// The Discord channel of these tests.
pub(crate) const ROOM: &str = "1457510428359004343";

/// A text for the HTTP channel, in conversation `conv_{name}`.
pub(crate) fn over_http(name: &str, text: &str) -> Delivery {
    of(name, "web", ChannelKind::Http, "chat", reply(text))
}

/// A text for the Telegram chat, in conversation `conv_{name}`.
pub(crate) fn over_telegram(name: &str, text: &str) -> Delivery {
    of(name, "tg", ChannelKind::Telegram, &CHAT.to_string(), reply(text))
}

/// To the connection that gives a part up when nobody knows whether it has arrived.
pub(crate) fn over_telegram_once(name: &str, text: &str) -> Delivery {
    Delivery {
        connection: ConnectionId::new("tg-once").unwrap(),
        ..over_telegram(name, text)
    }
}

/// A text for a thread of [`CHANNEL`], in conversation `conv_{name}`.
pub(crate) fn over_slack(name: &str, text: &str) -> Delivery {
    let mut delivery = of(name, "slack", ChannelKind::Slack, CHANNEL, reply(text));
    delivery.address.thread_id = Some(THREAD.to_owned());
    delivery
}

/// A text for [`ROOM`], in conversation `conv_{name}`, that answers a command whose way back is `token`.
pub(crate) fn over_discord(name: &str, text: &str, token: &str) -> Delivery {
    let mut delivery = of(name, "discord", ChannelKind::Discord, ROOM, reply(text));
    delivery.address.message_id = None;
    delivery.address.interaction = Some(Interaction {
        token: token.to_owned(),
        expires_at: UnixMillis(clock::now().0 + 14 * 60 * 1000),
    });
    delivery
}

fn of(name: &str, connection: &str, channel: ChannelKind, chat: &str, result: TurnResult) -> Delivery {
    let (message, now) = (MessageId::new(format!("msg_{name}_m1")).unwrap(), clock::now());
    let question = Utterance {
        role: Role::User,
        text: "Hello!".to_owned(),
        files: vec![],
        message_id: Some(message.clone()),
        at: now,
    };
    Delivery {
        conversation: ConversationId::new(format!("conv_{name}")).unwrap(),
        bot: BotId::new("support").unwrap(),
        connection: ConnectionId::new(connection).unwrap(),
        channel,
        address: ReplyAddress {
            chat_id: chat.to_owned(),
            thread_id: None,
            message_id: Some("7".to_owned()),
            interaction: None,
        },
        user: User {
            id: "ada".to_owned(),
            name: None,
            username: None,
        },
        answers: vec![message],
        answered_through: 3,
        question: vec![question],
        conclusion: Conclusion {
            turn: TurnId::new(format!("turn_{name}_m1")).unwrap(),
            result,
            integration: Some(IntegrationId::new("echo").unwrap()),
            arm: None,
            attempts: 1,
            webhook_millis: 5,
            committed_at: now,
        },
        accepted_at: now,
        built_at: now,
        replay: 0,
    }
}

fn reply(text: &str) -> TurnResult {
    TurnResult::Reply {
        content: text.to_owned(),
        attachments: vec![],
        buttons: vec![],
        metadata: None,
    }
}

/// The same delivery with another result.
pub(crate) fn with_result(mut delivery: Delivery, result: TurnResult) -> Delivery {
    delivery.conclusion.result = result;
    delivery
}

/// The same delivery with a file beside its text.
pub(crate) fn with_file(delivery: Delivery) -> Delivery {
    let result = TurnResult::Reply {
        content: delivery.conclusion.result.text().to_owned(),
        attachments: vec![attachment()],
        buttons: vec![],
        metadata: None,
    };
    with_result(delivery, result)
}

pub(crate) fn attachment() -> Attachment {
    Attachment {
        url: "https://files.example/report.pdf".to_owned(),
        filename: Some("report.pdf".to_owned()),
        mime_type: Some("application/pdf".to_owned()),
    }
}

pub(crate) fn stored(bytes: usize) -> StoredFile {
    StoredFile {
        key: "out/report".to_owned(),
        name: "report.pdf".to_owned(),
        mime_type: "application/pdf".to_owned(),
        bytes: bytes as u64,
    }
}

/// What egress writes down when a delivery is finished.
pub(crate) fn transcript(delivery: &Delivery, receipt: Receipt) -> Transcript {
    Transcript {
        conversation: delivery.conversation.clone(),
        bot: delivery.bot.clone(),
        connection: delivery.connection.clone(),
        channel: delivery.channel,
        user: delivery.user.clone(),
        answers: delivery.answers.clone(),
        answered_through: delivery.answered_through,
        question: delivery.question.clone(),
        conclusion: delivery.conclusion.clone(),
        receipt,
        accepted_at: delivery.accepted_at,
        built_at: delivery.built_at,
        concluded_at: clock::now(),
        replay: delivery.replay,
    }
}

pub(crate) fn sent(ids: &[&str]) -> Receipt {
    Receipt::Sent {
        platform_message_ids: ids.iter().map(|&id| id.to_owned()).collect(),
    }
}
