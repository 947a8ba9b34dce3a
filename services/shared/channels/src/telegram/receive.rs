//! What Telegram pushes: a secret in a header, then an update.

use std::collections::BTreeMap;

use proto_schemas::content::User;
use serde::de::IgnoredAny;
use subtle::ConstantTimeEq;

use super::attachment::file;
use super::event::{changed, pressed};
use super::update::{Chat, Entity, Message, Person, Update};
use super::{Account, wording};
use crate::inbound::{
    Addressed, Inbound, InboundFile, InboundMessage, RESET, Refusal, Request, ignored, json_problem,
};

/// Nothing is signed; the secret itself authenticates (`channels.md`, section 1.3).
const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

/// The updates that we do not answer (`channels.md`, section 2.2.1).
const OTHER_UPDATES: [&str; 21] = [
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "guest_message",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
];

/// Contents of a message that we do not answer.
const OTHER_CONTENTS: [&str; 3] = ["story", "checklist", "paid_media"];

/// What a message asks of the bot by a command.
enum Command {
    /// None, or one that the webhook understands.
    Words,
    /// To start afresh.
    Reset,
    /// It is meant for another bot in the group.
    NotOurs,
}

impl Account {
    pub(crate) fn receive(&self, request: &Request<'_>) -> Result<Inbound, Refusal> {
        self.verify(request)?;
        let update: Update = serde_json::from_slice(request.body)
            .map_err(|error| Refusal::NotUnderstood(json_problem(&error)))?;
        let kind = || known(&OTHER_UPDATES, &update.others).unwrap_or("unknown_update");
        if let Some(query) = update.callback_query {
            return pressed(query);
        }
        let read = update.message.map(|message| self.read(message, false));
        Ok(read
            .or_else(|| update.edited_message.map(|message| self.read(message, true)))
            .or_else(|| {
                update
                    .my_chat_member
                    .map(|membership| ignored(changed(&membership)))
            })
            .unwrap_or_else(|| ignored(kind())))
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let refuse = |why: &str| Err(Refusal::Unauthorized(format!("{SECRET_HEADER} {why}")));
        let Some(given) = request.headers.get(SECRET_HEADER) else {
            return refuse("is missing");
        };
        let same: bool = given
            .as_bytes()
            .ct_eq(self.webhook_secret.expose().as_bytes())
            .into();
        if same { Ok(()) } else { refuse("is wrong") }
    }

    fn read(&self, message: Message, is_edit: bool) -> Inbound {
        let file = file(&message);
        let words = wording::in_words(&message);
        let (text, entities) = match (&message.text, &message.caption, &words) {
            (Some(text), _, _) => (text.as_str(), &message.entities),
            (None, Some(caption), _) => (caption.as_str(), &message.caption_entities),
            (None, None, Some(words)) => (words.as_str(), &message.entities),
            (None, None, None) => ("", &message.entities),
        };
        if text.is_empty() && file.is_none() {
            return ignored(known(&OTHER_CONTENTS, &message.others).unwrap_or("service_message"));
        }
        let user = match author(&message) {
            Ok(user) => user,
            Err(kind) => return ignored(kind),
        };
        let command = self.command(text, entities);
        let addressed = self.addressed(&message, text, entities);
        let inbound = InboundMessage {
            // An update's number names the push, not the message, and Telegram starts it anew after a quiet
            // week; chat and message name the message for good (`channels.md`, sections 2.1.5 and 2.3).
            dedup_key: dedup_key(&message, is_edit),
            chat_id: message.chat.id.to_string(),
            thread_id: topic(message.message_thread_id, message.is_topic_message),
            thread_is_conversation: true,
            message_id: Some(message.message_id.to_string()),
            user,
            text: text.to_owned(),
            files: file.into_iter().map(InboundFile::Source).collect(),
            is_group: message.chat.kind != "private",
            addressed,
            // Changed, it is a question of its own.
            album: message.media_group_id.filter(|_| !is_edit),
            is_edit,
            interaction: None,
            answer: None,
        };
        match command {
            Command::Words => Inbound::Message(inbound),
            Command::Reset => Inbound::Reset(inbound),
            Command::NotOurs => ignored("command_for_another_bot"),
        }
    }

    /// What is written in private, or names the bot, answers it or commands it.
    fn addressed(&self, message: &Message, text: &str, entities: &[Entity]) -> Addressed {
        let is_us = |person: &Person| {
            let same_name = |name: &String| self.is_our_name(name);
            self.id() == Some(person.id) || person.username.as_ref().is_some_and(same_name)
        };
        let names_us = |entity: &Entity| match entity.kind.as_str() {
            "mention" => self.is_our_name(utf16_part(text, entity).trim_start_matches('@')),
            "text_mention" => entity.user.as_ref().is_some_and(is_us),
            "bot_command" => entity.offset == 0,
            _ => false,
        };
        let answers = message.reply_to_message.as_ref();
        let answers_us = answers.is_some_and(|answered| {
            answered.forum_topic_created.is_none() && answered.from.as_ref().is_some_and(is_us)
        });
        if message.chat.kind == "private" || answers_us || entities.iter().any(names_us) {
            Addressed::Surely
        } else if message.media_group_id.is_some() {
            // Only one message of an album has the words.
            Addressed::Perhaps
        } else {
            Addressed::No
        }
    }

    fn is_our_name(&self, name: &str) -> bool {
        let ours = self.username.as_deref();
        ours.is_some_and(|ours| ours.eq_ignore_ascii_case(name))
    }

    /// The bot's own identifier, with which its token begins.
    fn id(&self) -> Option<i64> {
        self.token.expose().split(':').next()?.parse().ok()
    }

    /// A command is an entity at the very beginning, `/name` or `/name@bot` (`channels.md`, section 2.2.3).
    fn command(&self, text: &str, entities: &[Entity]) -> Command {
        let Some(entity) = entities
            .iter()
            .find(|entity| entity.kind == "bot_command" && entity.offset == 0)
        else {
            return Command::Words;
        };
        let command = utf16_prefix(text, entity.length);
        let (name, bot) = match command.split_once('@') {
            Some((name, bot)) => (name, Some(bot)),
            None => (command, None),
        };
        if bot.is_some_and(|bot| self.username.is_some() && !self.is_our_name(bot)) {
            return Command::NotOurs;
        }
        if name.eq_ignore_ascii_case(RESET) {
            Command::Reset
        } else {
            Command::Words
        }
    }
}

fn known(kinds: &[&'static str], members: &BTreeMap<String, IgnoredAny>) -> Option<&'static str> {
    kinds.iter().find(|kind| members.contains_key(**kind)).copied()
}

/// What a message is after a change is another one.
fn dedup_key(message: &Message, is_edit: bool) -> String {
    let key = format!("{}:{}", message.chat.id, message.message_id);
    match message.edit_date.filter(|_| is_edit) {
        Some(edited) => format!("{key}:{edited}"),
        None => key,
    }
}

/// In ordinary groups a thread id marks chains of replies; only a topic is a conversation of its own.
pub(super) fn topic(thread: Option<i64>, is_topic: bool) -> Option<String> {
    thread.filter(|_| is_topic).map(|topic| topic.to_string())
}

/// Who wrote it, or why that is nobody whom we answer. A message on behalf of a chat carries a made-up user
/// (`channels.md`, section 2.2.2), so the chat is asked first.
fn author(message: &Message) -> Result<User, &'static str> {
    if message.is_automatic_forward {
        return Err("automatic_forward");
    }
    if message.others.contains_key("direct_messages_topic") {
        // A conversation of its own kind, which could not be answered in the right place.
        return Err("direct_messages_topic");
    }
    match (&message.sender_chat, &message.from) {
        (Some(chat), _) => Ok(chat_as_user(chat)),
        (None, Some(person)) if person.is_bot => Err("from_a_bot"),
        (None, Some(person)) => Ok(person_as_user(person)),
        (None, None) => Err("without_author"),
    }
}

fn chat_as_user(chat: &Chat) -> User {
    User {
        id: chat.id.to_string(),
        name: chat.title.clone(),
        username: chat.username.clone(),
    }
}

pub(super) fn person_as_user(person: &Person) -> User {
    let name = match &person.last_name {
        Some(last) => format!("{} {last}", person.first_name),
        None => person.first_name.clone(),
    };
    User {
        id: person.id.to_string(),
        name: Some(name).filter(|name| !name.trim().is_empty()),
        username: person.username.clone(),
    }
}

/// What an entity marks.
fn utf16_part<'a>(text: &'a str, entity: &Entity) -> &'a str {
    let through = utf16_prefix(text, entity.offset.saturating_add(entity.length));
    let before = utf16_prefix(text, entity.offset).len();
    &through[before.min(through.len())..]
}

/// The beginning of `text`, `units` UTF-16 code units long, or all of it.
fn utf16_prefix(text: &str, units: u64) -> &str {
    let mut passed = 0;
    for (index, character) in text.char_indices() {
        if passed >= units {
            return &text[..index];
        }
        passed += character.len_utf16() as u64;
    }
    text
}
