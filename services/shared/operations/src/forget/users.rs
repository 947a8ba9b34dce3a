//! The conversations in which a user has written. The broker has no index of users, so all entries that name one are
//! read: not for the hot path.

use std::collections::BTreeMap;

use bus::{Bus, BusError, Entry};
use proto_schemas::content::User;
use proto_schemas::dead_letter::{DeadLetter, Payload};
use proto_schemas::ids::{ConnectionId, ConversationId};
use serde::Deserialize;

use super::stores::Store;

/// The stores whose entries name a user. Transcripts are kept longest.
const NAMING: [Store; 5] = [
    Store::Inbox,
    Store::Turns,
    Store::Deliveries,
    Store::Transcripts,
    Store::DeadLetters,
];

/// What all of them have in common.
#[derive(Deserialize)]
struct Named {
    connection: ConnectionId,
    user: User,
}

/// The conversations of a connection in which the user of this platform identifier has written.
pub(super) async fn conversations(
    bus: &Bus,
    connection: &ConnectionId,
    user: &str,
) -> Result<BTreeMap<ConversationId, ()>, BusError> {
    let mut found = BTreeMap::new();
    let is_theirs = |named: Named| named.connection == *connection && named.user.id == user;
    for store in NAMING {
        let visit = |entry: Entry| {
            if named(store, &entry).is_some_and(is_theirs)
                && let Some(conversation) = store.owner(&entry)
            {
                found.insert(conversation, ());
            }
        };
        store.each(bus, visit).await?;
    }
    Ok(found)
}

fn named(store: Store, entry: &Entry) -> Option<Named> {
    if store != Store::DeadLetters {
        return serde_json::from_slice(&entry.payload).ok();
    }
    match entry.decode::<DeadLetter>().ok()?.payload {
        Payload::Text(text) => serde_json::from_str(&text).ok(),
        Payload::Hex(_) | Payload::Object(_) => None,
    }
}
