//! Where something of a conversation is kept, and what of it.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Bus, BusError, Entry, ObjectError};
use bytes::Bytes;
use domain::files::is_content_key;
use proto_schemas::dead_letter::{DeadLetter, Payload};
use proto_schemas::ids::ConversationId;
use proto_schemas::subjects;
use proto_schemas::topology::{
    CONTEXTS, DEAD_LETTERS, DELIVERIES, FETCHES, INBOX, PROGRESS, TRANSCRIPTS, TURNS, bucket_stream,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The length of a file's key.
const KEY_CHARS: usize = KEY_PREFIX.len() + 64;
const KEY_PREFIX: &str = "sha256/";
/// The largest payload of a dead letter that is searched for files.
const MAX_PAYLOAD_BYTES: usize = 8 * 1024 * 1024;

/// A stream or bucket, in the order in which entries are removed. Transcripts and dead letters go last: a user's
/// conversations are found by them when the removal was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// What was said so far.
    Contexts,
    /// Questions to the webhook.
    Turns,
    /// What arrived.
    Inbox,
    /// Files to bring in.
    Fetches,
    /// Replies to send.
    Deliveries,
    /// How far work got.
    Progress,
    /// What was given up.
    DeadLetters,
    /// Finished turns.
    Transcripts,
}

impl Store {
    /// All of them, in their order.
    pub const ALL: [Self; 8] = [
        Self::Contexts,
        Self::Turns,
        Self::Inbox,
        Self::Fetches,
        Self::Deliveries,
        Self::Progress,
        Self::DeadLetters,
        Self::Transcripts,
    ];

    /// What it holds, for people.
    pub fn entries(self) -> &'static str {
        match self {
            Self::Contexts => "contexts",
            Self::Turns => "turns",
            Self::Inbox => "inbox entries",
            Self::Fetches => "fetches",
            Self::Deliveries => "deliveries",
            Self::Progress => "progress records",
            Self::DeadLetters => "dead letters",
            Self::Transcripts => "transcripts",
        }
    }

    /// Its stream.
    pub(super) fn stream(self) -> String {
        match self {
            Self::Contexts => bucket_stream(&CONTEXTS),
            Self::Turns => TURNS.name.to_owned(),
            Self::Inbox => INBOX.name.to_owned(),
            Self::Fetches => FETCHES.name.to_owned(),
            Self::Deliveries => DELIVERIES.name.to_owned(),
            Self::Progress => bucket_stream(&PROGRESS),
            Self::DeadLetters => DEAD_LETTERS.name.to_owned(),
            Self::Transcripts => TRANSCRIPTS.name.to_owned(),
        }
    }

    /// The literal subject of a conversation, where it has one.
    fn subject_of(self, conversation: &ConversationId) -> Option<String> {
        match self {
            Self::Contexts => Some(subjects::key(CONTEXTS.name, conversation.as_str())),
            Self::Turns => Some(subjects::turn(conversation)),
            Self::Inbox => Some(subjects::inbox(conversation)),
            Self::Deliveries => Some(subjects::delivery(conversation)),
            Self::Transcripts => Some(subjects::transcript(conversation)),
            Self::Fetches | Self::Progress | Self::DeadLetters => None,
        }
    }

    /// The conversation that an entry belongs to; none where nothing tells.
    pub(super) fn owner(self, entry: &Entry) -> Option<ConversationId> {
        match self {
            Self::DeadLetters => subjects::named_conversation(&entry.decode::<DeadLetter>().ok()?.subject),
            Self::Contexts
            | Self::Turns
            | Self::Inbox
            | Self::Fetches
            | Self::Deliveries
            | Self::Progress
            | Self::Transcripts => subjects::named_conversation(&entry.subject),
        }
    }

    /// Where the payload of an entry lies that is too large for it.
    fn object(self, entry: &Entry) -> Option<String> {
        if self != Self::DeadLetters {
            return None;
        }
        match entry.decode::<DeadLetter>().ok()?.payload {
            Payload::Object(key) => Some(key),
            Payload::Text(_) | Payload::Hex(_) => None,
        }
    }

    /// Visits all that it holds, a page at a time.
    pub(super) async fn each(self, bus: &Bus, visit: impl FnMut(Entry)) -> Result<(), BusError> {
        bus.each(&self.stream(), ">", 1, visit).await
    }
}

/// An entry of a conversation.
pub(super) struct Held {
    pub(super) store: Store,
    pub(super) conversation: ConversationId,
    pub(super) entry: Entry,
}

impl Held {
    /// Where the payload of a dead letter lies that is too large for the letter.
    pub(super) fn object(&self) -> Option<String> {
        self.store.object(&self.entry)
    }
}

/// What these stores hold of conversations. Markers of what was removed are nothing.
pub(super) async fn held<T>(
    bus: &Bus,
    stores: &[Store],
    conversations: &BTreeMap<ConversationId, T>,
) -> Result<Vec<Held>, BusError> {
    let mut held = Vec::new();
    for &store in stores {
        let mut take = |entry: Entry| {
            let owner = store
                .owner(&entry)
                .filter(|owner| conversations.contains_key(owner));
            if let Some(conversation) = owner
                && !entry.is_removal()
            {
                held.push(Held {
                    store,
                    conversation,
                    entry,
                });
            }
        };
        let literal: Option<Vec<String>> = conversations
            .keys()
            .map(|conversation| store.subject_of(conversation))
            .collect();
        match literal {
            Some(subjects) => {
                for subject in subjects {
                    bus.each(&store.stream(), &subject, 1, &mut take).await?;
                }
            }
            None => store.each(bus, take).await?,
        }
    }
    Ok(held)
}

/// The files that other conversations refer to as well, or else nobody.
pub(super) async fn shared<T>(
    bus: &Bus,
    files: &BTreeSet<String>,
    conversations: &BTreeMap<ConversationId, T>,
) -> Result<BTreeSet<String>, BusError> {
    let mut shared = BTreeSet::new();
    if files.is_empty() {
        return Ok(shared);
    }
    let mut objects = Vec::new();
    for store in Store::ALL {
        let visit = |entry: Entry| {
            let owner = store.owner(&entry);
            if owner.is_none_or(|owner| !conversations.contains_key(&owner)) {
                shared.extend(keys_in(&entry.payload).filter(|key| files.contains(key)));
                objects.extend(store.object(&entry));
            }
        };
        store.each(bus, visit).await?;
    }
    for object in objects {
        let payload = large_payload(bus, &object).await?;
        shared.extend(keys_in(&payload).filter(|key| files.contains(key)));
    }
    Ok(shared)
}

/// A payload that lies in the object store; empty when it is gone.
pub(super) async fn large_payload(bus: &Bus, object: &str) -> Result<Bytes, BusError> {
    match bus.file(object, MAX_PAYLOAD_BYTES).await {
        Ok(payload) => Ok(payload),
        Err(ObjectError::Bus(error)) => Err(error),
        Err(ObjectError::Missing { .. } | ObjectError::TooLarge { .. } | ObjectError::Incomplete) => {
            Ok(Bytes::new())
        }
    }
}

/// The keys of files in a text, whatever it is.
pub(super) fn keys_in(payload: &[u8]) -> impl Iterator<Item = String> + use<> {
    let text = String::from_utf8_lossy(payload).into_owned();
    let starts: Vec<usize> = text.match_indices(KEY_PREFIX).map(|(start, _)| start).collect();
    starts.into_iter().filter_map(move |start| {
        let key = text.get(start..start + KEY_CHARS)?;
        is_content_key(key).then(|| key.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use domain::files::content_key;

    use super::*;

    #[test]
    fn keys_of_files_are_found_wherever_they_stand() {
        let (one, other) = (content_key(b"one"), content_key(b"other"));
        let text = format!("{{\"a\":\"{one}\"}} sha256/no {other}, sha256/é");
        assert_eq!(keys_in(text.as_bytes()).collect::<Vec<_>>(), [one, other]);
    }
}
