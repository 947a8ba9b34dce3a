//! The part of Telegram's objects that we read (`channels.md`, section 2.2). Unknown members are ignored,
//! absent ones tolerated: Telegram adds members without notice.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// One event. Exactly one member besides `update_id` is present.
#[derive(Deserialize)]
pub(super) struct Update {
    /// Read to be sure that it is an update at all.
    #[serde(rename = "update_id")]
    _update_id: i64,
    pub(super) message: Option<Message>,
    pub(super) edited_message: Option<Message>,
    pub(super) callback_query: Option<CallbackQuery>,
    pub(super) my_chat_member: Option<Membership>,
    #[serde(flatten)]
    pub(super) others: BTreeMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) message_id: i64,
    pub(super) chat: Chat,
    pub(super) from: Option<Person>,
    pub(super) sender_chat: Option<Chat>,
    pub(super) edit_date: Option<i64>,
    pub(super) media_group_id: Option<String>,
    pub(super) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(super) is_topic_message: bool,
    #[serde(default)]
    pub(super) is_automatic_forward: bool,
    pub(super) reply_to_message: Option<Box<RepliedTo>>,
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) entities: Vec<Entity>,
    pub(super) caption: Option<String>,
    #[serde(default)]
    pub(super) caption_entities: Vec<Entity>,
    #[serde(default)]
    pub(super) photo: Vec<PhotoSize>,
    pub(super) document: Option<Media>,
    pub(super) animation: Option<Media>,
    pub(super) video: Option<Media>,
    pub(super) video_note: Option<Media>,
    pub(super) audio: Option<Media>,
    pub(super) voice: Option<Media>,
    pub(super) sticker: Option<Sticker>,
    pub(super) venue: Option<Venue>,
    pub(super) location: Option<Location>,
    pub(super) contact: Option<Contact>,
    pub(super) poll: Option<Poll>,
    pub(super) dice: Option<Dice>,
    #[serde(flatten)]
    pub(super) others: BTreeMap<String, IgnoredAny>,
}

/// A button was pressed.
#[derive(Deserialize)]
pub(super) struct CallbackQuery {
    pub(super) id: String,
    pub(super) from: Person,
    /// The message with the button; of an old one only its place is told.
    pub(super) message: Option<Pressed>,
    pub(super) data: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Pressed {
    pub(super) message_id: i64,
    pub(super) chat: Chat,
    pub(super) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(super) is_topic_message: bool,
}

/// What the bot is in a chat has changed.
#[derive(Deserialize)]
pub(super) struct Membership {
    pub(super) chat: Chat,
    pub(super) new_chat_member: Member,
}

#[derive(Deserialize)]
pub(super) struct Member {
    pub(super) status: String,
}

/// The message that one answers.
#[derive(Deserialize)]
pub(super) struct RepliedTo {
    pub(super) from: Option<Person>,
    /// Whatever is written in a topic answers the creation of the topic (`channels.md`, section 2.2.3).
    pub(super) forum_topic_created: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Chat {
    pub(super) id: i64,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) title: Option<String>,
    pub(super) username: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Person {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) is_bot: bool,
    #[serde(default)]
    pub(super) first_name: String,
    pub(super) last_name: Option<String>,
    pub(super) username: Option<String>,
}

/// A marked stretch of text, in UTF-16 code units.
#[derive(Deserialize)]
pub(super) struct Entity {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) offset: u64,
    pub(super) length: u64,
    /// Whom a `text_mention` names.
    pub(super) user: Option<Person>,
}

#[derive(Deserialize)]
pub(super) struct PhotoSize {
    pub(super) file_id: String,
    #[serde(default)]
    pub(super) width: u32,
    #[serde(default)]
    pub(super) height: u32,
    pub(super) file_size: Option<u64>,
}

/// Any file but a photo.
#[derive(Deserialize)]
pub(super) struct Media {
    pub(super) file_id: String,
    pub(super) file_name: Option<String>,
    pub(super) mime_type: Option<String>,
    pub(super) file_size: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Sticker {
    /// What it stands for; absent in some sets.
    pub(super) emoji: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Location {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
}

#[derive(Deserialize)]
pub(super) struct Venue {
    pub(super) location: Location,
    pub(super) title: String,
    pub(super) address: String,
}

#[derive(Deserialize)]
pub(super) struct Contact {
    pub(super) phone_number: String,
    #[serde(default)]
    pub(super) first_name: String,
    pub(super) last_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Poll {
    pub(super) question: String,
    #[serde(default)]
    pub(super) options: Vec<PollOption>,
}

#[derive(Deserialize)]
pub(super) struct PollOption {
    pub(super) text: String,
}

/// A die, a dart, a slot machine: an emoji that has drawn a number.
#[derive(Deserialize)]
pub(super) struct Dice {
    pub(super) emoji: String,
    pub(super) value: u32,
}
