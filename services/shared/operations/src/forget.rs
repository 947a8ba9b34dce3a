//! Removing what is stored of conversations: of one, or of all in which a user has written.

mod removal;
mod stores;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::{Bus, BusError};
use proto_schemas::ids::{ConnectionId, ConversationId};

pub use removal::Removed;
pub use stores::Store;

/// What is stored of conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// How many entries each store has.
    pub entries: BTreeMap<Store, usize>,
    /// How many files they refer to.
    pub files: usize,
}

/// Counts what is stored of conversations; none when nothing is.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn kept(bus: &Bus, conversations: &BTreeSet<ConversationId>) -> Result<Option<Kept>, BusError> {
    let held = stores::held(bus, &Store::ALL, &named(conversations)).await?;
    if held.is_empty() {
        return Ok(None);
    }
    let files = removal::files_of(bus, &held).await?.len();
    let mut entries = BTreeMap::new();
    for held in &held {
        *entries.entry(held.store).or_default() += 1;
    }
    Ok(Some(Kept { entries, files }))
}

/// Removes everything that is stored of conversations, and waits at most so long for what is under way. Wants the rights of
/// the broker's user `forget`. May be repeated after any interruption.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses; part of it may be removed then.
pub async fn forget(
    bus: &Bus,
    conversations: &BTreeSet<ConversationId>,
    patience: Duration,
) -> Result<Removed, BusError> {
    removal::forget(bus, &named(conversations), patience).await
}

/// The conversations of a connection in which the user of this platform identifier has written. All that is stored is
/// read for it.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn of_user(
    bus: &Bus,
    connection: &ConnectionId,
    user: &str,
) -> Result<BTreeSet<ConversationId>, BusError> {
    Ok(users::conversations(bus, connection, user)
        .await?
        .into_keys()
        .collect())
}

fn named(conversations: &BTreeSet<ConversationId>) -> BTreeMap<ConversationId, ()> {
    conversations.iter().map(|id| (id.clone(), ())).collect()
}
