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
    #[serde(flatten)]
    pub(super) others: BTreeMap<String, IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) message_id: i64,
    pub(super) chat: Chat,
    pub(super) from: Option<Person>,
    pub(super) sender_chat: Option<Chat>,
    pub(super) message_thread_id: Option<i64>,
    #[serde(default)]
    pub(super) is_topic_message: bool,
    #[serde(default)]
    pub(super) is_automatic_forward: bool,
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
    #[serde(flatten)]
    pub(super) others: BTreeMap<String, IgnoredAny>,
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
