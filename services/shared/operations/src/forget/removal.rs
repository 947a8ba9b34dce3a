//! Removes what is stored of conversations, while the pipeline runs, in an order in which being cut off at any point is
//! harmless and the removal can be repeated:
//!
//! 1. Files, as long as something tells which they were. A link to one that is gone is answered with 404.
//! 2. The inbox, up to its newest entry. Nothing of it can be asked any more, and what was answered is not asked again
//!    when the context that says so is gone.
//! 3. The context, by compare-and-set, so that no answer is committed between 2 and 3. The marker that it leaves is a
//!    revision: turns that were built before it cannot be committed after it, so their answers are dropped.
//! 4. What arrived before the marker. What arrives later is a conversation that begins afresh.
//! 5. A pause in which replies and files that are under way come to their end by themselves.
//! 6. All the rest that belongs to no message of later; transcripts, which are the receipts of deliveries, last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::{Bus, BusError, Entry, TraceContext};
use proto_schemas::ids::{ConversationId, UnixMillis};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, bucket_stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::stores::{self, Held, Store};

/// For so long nothing may be under way before the rest is removed: longer than a step from one store to the next.
const QUIET: Duration = Duration::from_secs(1);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(100);

/// All but the contexts, which are removed by compare-and-set.
const REST: [Store; 7] = [
    Store::Turns,
    Store::Inbox,
    Store::Fetches,
    Store::Deliveries,
    Store::Progress,
    Store::DeadLetters,
    Store::Transcripts,
];

/// Conversations, and when they were cut off from what comes later.
type Cuts = BTreeMap<ConversationId, UnixMillis>;

/// What is found of conversations after the cut.
struct Found {
    /// To be removed.
    old: Vec<Held>,
    /// What belongs to messages that came later.
    later: Vec<Held>,
}

/// What was removed.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Forgotten")]
pub struct Removed {
    /// How many entries of each store.
    pub entries: BTreeMap<Store, usize>,
    /// The files.
    pub files: BTreeSet<String>,
    /// Those that other conversations refer to as well, and that stay.
    pub shared: BTreeSet<String>,
    /// Those that the broker does not have: they lie in S3, or have lapsed.
    pub elsewhere: BTreeSet<String>,
    /// How many fetches and deliveries were still under way when they were removed: the same again, some minutes later,
    /// removes what they leave behind.
    pub interrupted: usize,
}

/// Removes everything that is stored of conversations, and waits at most so long for what is under way.
pub(super) async fn forget(
    bus: &Bus,
    conversations: &BTreeMap<ConversationId, ()>,
    patience: Duration,
) -> Result<Removed, BusError> {
    let mut removed = Removed::default();
    let held = stores::held(bus, &Store::ALL, conversations).await?;
    remove_files(bus, &held, &[], conversations, &mut removed).await?;
    let mut cuts = Cuts::new();
    for conversation in conversations.keys() {
        let cut = cut(bus, conversation, &mut removed).await?;
        cuts.insert(conversation.clone(), cut);
    }
    removed.interrupted = wait_for_work(bus, &cuts, patience).await?;
    let rest = found(bus, &REST, &cuts).await?;
    remove_files(bus, &rest.old, &rest.later, conversations, &mut removed).await?;
    for held in &rest.old {
        remove(bus, held, &mut removed).await?;
    }
    Ok(removed)
}

/// Removes the inbox and the context; the moment of the broker's clock from which on messages are new.
async fn cut(
    bus: &Bus,
    conversation: &ConversationId,
    removed: &mut Removed,
) -> Result<UnixMillis, BusError> {
    let only = BTreeMap::from([(conversation.clone(), ())]);
    let (stream, key) = (bucket_stream(&CONTEXTS), conversation.as_str());
    let subject = subjects::key(CONTEXTS.name, key);
    loop {
        let context = bus.last(&stream, &subject).await?;
        for held in stores::held(bus, &[Store::Inbox], &only).await? {
            remove(bus, &held, removed).await?;
        }
        let revision = context.as_ref().map_or(0, |context| context.sequence);
        match bus.remove(&CONTEXTS, key, revision, TraceContext::new()).await {
            Ok(marker) => {
                if context.is_some_and(|context| !context.is_removal()) {
                    *removed.entries.entry(Store::Contexts).or_default() += 1;
                }
                let marker = bus.first(&stream, &subject, marker).await?;
                let cut = marker
                    .and_then(|marker| marker.stored_millis())
                    .unwrap_or_default();
                // What came in between may be answered on top of the marker, and the next round takes that along.
                let inbox = stores::held(bus, &[Store::Inbox], &only).await?;
                if inbox.iter().all(|held| held.entry.stored_millis() > Some(cut)) {
                    return Ok(cut);
                }
            }
            // An answer was committed meanwhile; the next round takes it along.
            Err(BusError::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
}

/// What these stores hold of the conversations.
async fn found(bus: &Bus, which: &[Store], cuts: &Cuts) -> Result<Found, BusError> {
    let held = stores::held(bus, which, cuts).await?;
    // Looked at afterwards: whatever was found of a message, its inbox entry was there before.
    let messages = later_messages(bus, cuts).await?;
    let is_later = |held: &Held| messages.iter().any(|name| is_about(&held.entry, name));
    let (later, old) = held.into_iter().partition(is_later);
    Ok(Found { old, later })
}

/// What messages that came after the cut are called, in their own identifiers and in those of their turns.
async fn later_messages(bus: &Bus, cuts: &Cuts) -> Result<Vec<String>, BusError> {
    let inbox = stores::held(bus, &[Store::Inbox], cuts).await?;
    let later = inbox.iter().filter_map(|held| {
        let message = match held.entry.decode().ok()? {
            InboxEntry::Received(received) | InboxEntry::Reset(received) => received.message_id,
            InboxEntry::Attached(_) => return None,
        };
        let is_later = held.entry.stored_millis()? > *cuts.get(&held.conversation)?;
        let name = message.as_str().strip_prefix("msg_")?;
        is_later.then(|| name.to_owned())
    });
    Ok(later.collect())
}

fn is_about(entry: &Entry, name: &str) -> bool {
    entry.subject.contains(name) || String::from_utf8_lossy(&entry.payload).contains(name)
}

/// Waits until no old reply or fetch has been under way for a while; how many are when the patience ends. Turns are not
/// waited for: they may take minutes, and cannot be committed any more.
async fn wait_for_work(bus: &Bus, cuts: &Cuts, patience: Duration) -> Result<usize, BusError> {
    let began = Instant::now();
    let mut quiet_since = began;
    loop {
        let work = found(bus, &[Store::Fetches, Store::Deliveries], cuts).await?;
        let under_way = work.old.len();
        let now = Instant::now();
        if under_way > 0 {
            quiet_since = now;
        }
        if now - quiet_since >= QUIET {
            return Ok(0);
        }
        if under_way > 0 && now - began >= patience {
            return Ok(under_way);
        }
        sleep(PAUSE).await;
    }
}

/// Removes the files that old entries refer to, unless later ones or other conversations do as well.
async fn remove_files(
    bus: &Bus,
    old: &[Held],
    later: &[Held],
    conversations: &BTreeMap<ConversationId, ()>,
    removed: &mut Removed,
) -> Result<(), BusError> {
    let files = files_of(bus, old).await?;
    let mut shared = stores::shared(bus, &files, conversations).await?;
    let needed = later.iter().flat_map(|held| stores::keys_in(&held.entry.payload));
    shared.extend(needed.filter(|key| files.contains(key)));
    for key in files.difference(&shared) {
        if bus.remove_file(key).await? {
            removed.files.insert(key.clone());
        } else if !removed.files.contains(key) {
            removed.elsewhere.insert(key.clone());
        }
    }
    removed.elsewhere.retain(|key| !removed.files.contains(key));
    removed.shared.extend(shared);
    Ok(())
}

/// The files that entries refer to.
pub(super) async fn files_of(bus: &Bus, held: &[Held]) -> Result<BTreeSet<String>, BusError> {
    let mut files = BTreeSet::new();
    for held in held {
        files.extend(stores::keys_in(&held.entry.payload));
        if let Some(object) = held.object() {
            files.extend(stores::keys_in(&stores::large_payload(bus, &object).await?));
        }
    }
    Ok(files)
}

/// Removes one entry, if whoever works on it has not done so.
async fn remove(bus: &Bus, held: &Held, removed: &mut Removed) -> Result<(), BusError> {
    let (stream, entry) = (held.store.stream(), &held.entry);
    if let Some(object) = held.object() {
        bus.remove_file(&object).await?;
    }
    if held.store == Store::Progress {
        bus.purge(&stream, &entry.subject).await?;
    } else {
        bus.delete_if_there(&stream, &entry.subject, entry.sequence)
            .await?;
    }
    *removed.entries.entry(held.store).or_default() += 1;
    Ok(())
}
