//! Plain messages, as Discord's Gateway tells of them (`channels.md`, section 4.2.1). Unknown members are ignored, absent
//! ones tolerated: Discord adds members without notice.

use serde::Deserialize;

use super::attachment::Attachment;
use crate::inbound::{Addressed, Inbound, InboundFile, InboundMessage, Refusal, ignored, json_problem};

/// Kinds of messages that a person wrote: one of its own, and one that replies to another.
const WRITTEN: [u8; 2] = [0, 19];
/// Kinds of channels that are threads.
const THREADS: [u8; 3] = [10, 11, 12];

/// An event of the Gateway; the members besides are the Gateway's own.
#[derive(Deserialize)]
struct Event {
    d: Message,
}

#[derive(Deserialize)]
struct Message {
    id: String,
    channel_id: String,
    guild_id: Option<String>,
    channel_type: Option<u8>,
    #[serde(rename = "type")]
    kind: u8,
    author: User,
    member: Option<Member>,
    webhook_id: Option<String>,
    #[serde(default)]
    content: String,
    #[serde(default)]
    mentions: Vec<User>,
    referenced_message: Option<Referenced>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
struct User {
    id: String,
    username: Option<String>,
    global_name: Option<String>,
    #[serde(default)]
    bot: bool,
    #[serde(default)]
    system: bool,
    /// Of a mention: the user as a member of the guild.
    member: Option<Member>,
}

#[derive(Deserialize)]
struct Member {
    nick: Option<String>,
}

#[derive(Deserialize)]
struct Referenced {
    author: Option<User>,
}

/// Reads `MESSAGE_CREATE`, the whole frame of it. `bot` is our own bot as a user of Discord.
///
/// # Errors
/// [`Refusal::NotUnderstood`] when it is no such event.
pub fn receive_message(event: &[u8], bot: &str) -> Result<Inbound, Refusal> {
    let event: Event =
        serde_json::from_slice(event).map_err(|error| Refusal::NotUnderstood(json_problem(&error)))?;
    read(event.d, bot)
}

fn read(message: Message, bot: &str) -> Result<Inbound, Refusal> {
    if let Some(kind) = unanswered(&message, bot) {
        return Ok(ignored(kind));
    }
    let text = words(&message, bot, message.attachments.is_empty());
    let addressed = addressed(&message, bot);
    let files: Vec<InboundFile> = message
        .attachments
        .into_iter()
        .map(Attachment::into_file)
        .collect();
    if text.is_empty() && files.is_empty() {
        return Ok(ignored("without_content"));
    }
    let inbound = InboundMessage {
        addressed,
        is_group: message.guild_id.is_some(),
        dedup_key: message.id.clone(),
        chat_id: message.channel_id,
        // A thread is a channel of its own.
        thread_id: None,
        thread_is_conversation: false,
        message_id: Some(message.id),
        user: proto_schemas::content::User {
            name: shown_name(&message.author, message.member.as_ref()).map(str::to_owned),
            id: message.author.id,
            username: message.author.username,
        },
        text,
        files,
        album: None,
        is_edit: false,
        interaction: None,
        answer: None,
    };
    inbound.said()
}

/// Why a message is nobody's whom we answer. Our own come back as well, and the bots of others would answer ours for
/// ever.
fn unanswered(message: &Message, bot: &str) -> Option<&'static str> {
    let author = &message.author;
    if !WRITTEN.contains(&message.kind) {
        Some("service_message")
    } else if author.bot || author.id == bot || message.webhook_id.is_some() {
        Some("from_a_bot")
    } else if author.system {
        Some("from_discord")
    } else {
        None
    }
}

/// Every direct message is for us; in a guild those with our name and the replies to our own, and those in threads that
/// we take part in.
fn addressed(message: &Message, bot: &str) -> Addressed {
    let is_named = message.mentions.iter().any(|user| user.id == bot);
    let referenced = message.referenced_message.as_ref();
    let answers_us = referenced
        .and_then(|referenced| referenced.author.as_ref())
        .is_some_and(|author| author.id == bot);
    if message.guild_id.is_none() || is_named || answers_us {
        Addressed::Surely
    } else if message.channel_type.is_some_and(|kind| THREADS.contains(&kind)) {
        Addressed::Perhaps
    } else {
        Addressed::No
    }
}

/// What was said, without the call by name before it; a call with nothing behind it is what was said.
fn words(message: &Message, bot: &str, is_all: bool) -> String {
    let whole = message.content.trim();
    let rest = without_call(whole, bot);
    let said = if rest.is_empty() && is_all { whole } else { rest };
    with_names(said, &message.mentions)
}

/// A text without the mention of the user that it begins with, if it does.
fn without_call<'a>(text: &'a str, user: &str) -> &'a str {
    let called = text
        .strip_prefix("<@")
        .map(|rest| rest.strip_prefix('!').unwrap_or(rest));
    let rest = called.and_then(|rest| rest.strip_prefix(user)?.strip_prefix('>'));
    rest.map_or(text, str::trim_start)
}

/// A text in which people are called by the names that others see, and not by numbers.
fn with_names(text: &str, mentions: &[User]) -> String {
    mentions.iter().fold(text.to_owned(), |text, user| {
        let Some(name) = shown_name(user, user.member.as_ref()) else {
            return text;
        };
        let name = format!("@{name}");
        let named = text.replace(&format!("<@{}>", user.id), &name);
        named.replace(&format!("<@!{}>", user.id), &name)
    })
}

fn shown_name<'a>(user: &'a User, member: Option<&'a Member>) -> Option<&'a str> {
    let nick = member.and_then(|member| member.nick.as_deref());
    nick.or(user.global_name.as_deref()).or(user.username.as_deref())
}
