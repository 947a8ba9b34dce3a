//! What Slack pushes: events as JSON, and commands and pressed buttons as forms.

use proto_schemas::content::{FileLocation, FileSource, User};
use reqwest::header::CONTENT_TYPE;
use serde_json::json;

use super::event::{Event, File, Message, Push};
use super::{Account, interaction, signature, text};
use crate::inbound::{
    Addressed, Inbound, InboundFile, InboundMessage, Refusal, Request, ignored, json_problem, lacks,
    media_type,
};
use crate::names::sanitise_name;

/// Kinds of messages that a person wrote (`channels.md`, section 3.2.3).
const WRITTEN: [&str; 3] = ["file_share", "thread_broadcast", "me_message"];
/// Kinds that are known not to be: their names are told to the log.
const UNWRITTEN: [&str; 3] = ["message_deleted", "bot_message", "message_replied"];
/// A message that became another one.
const CHANGED: &str = "message_changed";
/// Slack itself, which writes into direct messages.
const SLACK_USERS: [&str; 2] = ["USLACKBOT", "USLACK"];

impl Account {
    pub(crate) fn receive(&self, request: &Request<'_>) -> Result<Inbound, Refusal> {
        signature::verify(&self.signing_secret, request)?;
        if is_form(request) {
            return interaction::read(request.body);
        }
        let push: Push = serde_json::from_slice(request.body)
            .map_err(|error| Refusal::NotUnderstood(json_problem(&error)))?;
        match push.kind.as_str() {
            "url_verification" => {
                let challenge = push.challenge.as_ref().ok_or_else(|| lacks("challenge"))?;
                let answer = json!({ "challenge": challenge });
                Ok(Inbound::Handshake { answer })
            }
            "event_callback" => event(push),
            "app_rate_limited" => Ok(trouble("app_rate_limited")),
            _ => Ok(ignored("unknown_push")),
        }
    }
}

fn trouble(kind: &'static str) -> Inbound {
    Inbound::Trouble { kind }
}

fn is_form(request: &Request<'_>) -> bool {
    let value = request.headers.get(CONTENT_TYPE);
    let essence = value.and_then(|value| value.to_str().ok()).and_then(media_type);
    essence.as_deref() == Some("application/x-www-form-urlencoded")
}

fn event(mut push: Push) -> Result<Inbound, Refusal> {
    let event = push.event.take().ok_or_else(|| lacks("event"))?;
    match event {
        Event::Message(message) if message.subtype.as_deref() == Some(CHANGED) => match message.changed() {
            Some((message, edited)) => read(message, false, Some(&edited), push.bot()),
            None => Ok(ignored(CHANGED)),
        },
        Event::Message(message) => read(message, false, None, push.bot()),
        Event::AppMention(message) => read(message, true, None, push.bot()),
        Event::TokensRevoked => Ok(trouble("tokens_revoked")),
        Event::AppUninstalled => Ok(trouble("app_uninstalled")),
        Event::Other => Ok(ignored("other_event")),
    }
}

/// One message with the bot's name in it comes as a message and as a mention, with the same channel and time: both
/// are read alike, and the second changes nothing (`channels.md`, section 3.1.5).
fn read(
    message: Message,
    is_mention: bool,
    edited: Option<&str>,
    bot: Option<&str>,
) -> Result<Inbound, Refusal> {
    let author = match author(&message, bot) {
        Ok(author) => author,
        Err(kind) => return Ok(ignored(kind)),
    };
    let addressed = if is_mention {
        Addressed::Surely
    } else {
        addressed(&message, bot)
    };
    let files: Vec<InboundFile> = message.files.iter().flatten().filter_map(file).collect();
    let text = words(&message, bot, files.is_empty());
    if text.is_empty() && files.is_empty() {
        return Ok(ignored("without_content"));
    }
    let is_direct = message.is_direct();
    let thread_id = match message.thread_ts {
        None if is_direct => None,
        // In a channel the answer to a message begins a thread, which is the conversation.
        None => Some(message.ts.clone()),
        thread => thread,
    };
    let inbound = InboundMessage {
        dedup_key: match edited {
            Some(edited) => format!("{}:{}:{edited}", message.channel, message.ts),
            None => format!("{}:{}", message.channel, message.ts),
        },
        chat_id: message.channel,
        thread_id,
        thread_is_conversation: !is_direct,
        message_id: Some(message.ts),
        user: author,
        text,
        files,
        is_group: !is_direct,
        addressed,
        album: None,
        is_edit: edited.is_some(),
        interaction: None,
        answer: None,
    };
    inbound.said()
}

/// Who wrote it, or why that is nobody whom we answer.
fn author(message: &Message, bot: Option<&str>) -> Result<User, &'static str> {
    if let Some(subtype) = message.subtype.as_deref()
        && !WRITTEN.contains(&subtype)
    {
        let known = UNWRITTEN.iter().find(|kind| **kind == subtype);
        return Err(known.copied().unwrap_or("service_message"));
    }
    let user = message.user.as_deref().ok_or("without_author")?;
    // Our own posts come back as well, and the bots of others would answer ours for ever.
    if message.bot_id.is_some() || Some(user) == bot {
        return Err("from_a_bot");
    }
    if SLACK_USERS.contains(&user) {
        return Err("from_slack");
    }
    Ok(User {
        id: user.to_owned(),
        name: None,
        username: None,
    })
}

/// Every direct message is for us; in channels those with our name, the answers to our own messages, and those in
/// threads that we take part in.
fn addressed(message: &Message, bot: Option<&str>) -> Addressed {
    let text = message.text.as_deref().unwrap_or_default();
    let is_named = bot.is_some_and(|bot| text::names(text, bot));
    let answers_us = bot.is_some() && message.parent_user_id.as_deref() == bot;
    if message.is_direct() || is_named || answers_us {
        Addressed::Surely
    } else if message.thread_ts.is_some() {
        Addressed::Perhaps
    } else {
        Addressed::No
    }
}

/// What was said, without the call by name before it; a call with nothing behind it is what was said.
fn words(message: &Message, bot: Option<&str>, is_all: bool) -> String {
    let whole = message.text.as_deref().unwrap_or_default().trim();
    let rest = bot.map_or(whole, |bot| text::without_call(whole, bot));
    if rest.is_empty() && is_all {
        text::decode(whole)
    } else {
        text::decode(rest)
    }
}

fn file(file: &File) -> Option<InboundFile> {
    let name = file.name.as_deref().or(file.title.as_deref());
    Some(InboundFile::Source(FileSource {
        name: sanitise_name(name.unwrap_or_default()),
        mime_type: file.mimetype.as_deref().and_then(media_type),
        bytes: file.size,
        location: FileLocation::Platform {
            file_id: file.id.clone()?,
        },
    }))
}
