//! What was given up: listed, shown, sent through the pipeline again, removed.

mod bulk;

use std::collections::BTreeSet;

use bus::{Bus, BusError, Entry};
use proto_schemas::dead_letter::{DeadLetter, Payload, Stage};
use proto_schemas::ids::{BrokerMicros, ConversationId, DeadLetterId, IntegrationId, UnixMillis};
use proto_schemas::subjects;
use proto_schemas::topology::DEAD_LETTERS;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::replay;
pub use crate::replay::{ReplayError, Replayed};
pub use bulk::{Bulk, Handled, Left, purge_some, replay_some};

/// How many pages of the broker are looked at for one of ours, so that a filter that fits none costs no more.
const LOOKED_AT: usize = 4;
/// How many pages are looked at for what tells of a message: some 4,000 dead letters, or 64 MiB of them, so that
/// one question does not read a stream of a gigabyte.
const LOOKED_THROUGH: usize = 16;
/// The subjects of all.
const ALL: &str = "dead-letters.>";

/// Which ones. What is not said does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Who gave up.
    pub stage: Option<Stage>,
    /// The class of the cause, as `timeout`.
    pub class: Option<String>,
    /// A webhook that was asked.
    pub integration: Option<String>,
    /// The conversation.
    pub conversation: Option<String>,
    /// Given up at this moment or later.
    pub since: Option<UnixMillis>,
    /// Given up at this moment or earlier.
    pub until: Option<UnixMillis>,
    /// Stored at this sequence or before: none that came after a list was made.
    pub through: Option<u64>,
}

/// A dead letter and where it lies.
#[derive(Debug, Clone)]
pub struct Buried {
    sequence: u64,
    /// The dead letter.
    pub letter: DeadLetter,
}

/// A dead letter without its attempts and its payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeadLetterSummary")]
pub struct Summary {
    /// The dead letter.
    pub id: DeadLetterId,
    /// Who gave up.
    pub stage: Stage,
    /// The class of the cause, as `timeout`.
    pub class: String,
    /// The cause in words.
    pub cause: String,
    /// How often a webhook was called.
    pub attempts: usize,
    /// The webhook that was called last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<IntegrationId>,
    /// The conversation, where its work names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<ConversationId>,
    /// When it was given up.
    pub buried_at: UnixMillis,
}

/// Some dead letters, oldest first, with their place.
#[derive(Debug, Clone)]
pub struct Letters {
    /// Those that the filter lets through. May be none although more follow.
    pub items: Vec<Buried>,
    /// Where the next ones begin; none behind the last one.
    pub next: Option<u64>,
}

impl Filter {
    /// Whether it is one of those, wherever it lies.
    pub fn lets_through(&self, letter: &DeadLetter) -> bool {
        let asked = |id: &String| {
            letter
                .attempts
                .iter()
                .any(|attempt| attempt.integration.as_str() == id)
        };
        let said_in = |id: &String| {
            subjects::named_conversation(&letter.subject).is_some_and(|found| found.as_str() == id)
        };
        self.stage.is_none_or(|stage| stage == letter.stage)
            && self.class.as_ref().is_none_or(|class| *class == letter.class)
            && self.integration.as_ref().is_none_or(asked)
            && self.conversation.as_ref().is_none_or(said_in)
            && self.since.is_none_or(|since| letter.buried_at >= since)
            && self.until.is_none_or(|until| letter.buried_at <= until)
    }
}

impl From<&DeadLetter> for Summary {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id.clone(),
            stage: letter.stage,
            class: letter.class.clone(),
            cause: letter.cause.clone(),
            attempts: letter.attempts.len(),
            integration: letter.attempts.last().map(|attempt| attempt.integration.clone()),
            conversation: subjects::named_conversation(&letter.subject),
            buried_at: letter.buried_at,
        }
    }
}

/// At most `limit` dead letters from a place on, which is 0 or where another answer said that more begin.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn list(bus: &Bus, filter: &Filter, from: u64, limit: usize) -> Result<Letters, BusError> {
    let mut items = Vec::new();
    let is_meant = |sequence: &u64| filter.through.is_none_or(|through| *sequence <= through);
    let mut pages = bus.pages(DEAD_LETTERS.name, ALL, from);
    for _ in 0..LOOKED_AT {
        let Some(page) = pages.next().await? else { break };
        for entry in page {
            if items.len() == limit {
                return Ok(Letters {
                    items,
                    next: Some(entry.sequence).filter(is_meant),
                });
            }
            items.extend(fitting(filter, &entry));
        }
    }
    Ok(Letters {
        items,
        next: pages.begins().filter(is_meant),
    })
}

/// The dead letter, if a filter lets it through. What cannot be read was written by a later build, which shows it.
fn fitting(filter: &Filter, entry: &Entry) -> Option<Buried> {
    let letter: DeadLetter = entry.decode().ok()?;
    let is_in_time = filter.through.is_none_or(|through| entry.sequence <= through);
    (is_in_time && filter.lets_through(&letter)).then_some(Buried {
        sequence: entry.sequence,
        letter,
    })
}

/// All that a filter lets through, oldest first. Work that was given up again, as its first end was not seen, is there
/// once.
///
/// # Errors
/// As for [`list`].
pub async fn all(bus: &Bus, filter: &Filter) -> Result<Vec<Buried>, BusError> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    bus.each(DEAD_LETTERS.name, ALL, 0, |entry| {
        let fresh = fitting(filter, &entry).filter(|buried| seen.insert(buried.letter.id.clone()));
        found.extend(fresh);
    })
    .await?;
    Ok(found)
}

/// What was found of some work.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The dead letters, oldest first.
    pub letters: Vec<Summary>,
    /// Whether there were too many dead letters to look at all.
    pub may_have_more: bool,
}

/// The dead letters whose work names something, as a message's identifier, and that were stored at this moment of the
/// broker's clock or later; of the first few thousand since then. Holds a page of them at a time. Work that is not text
/// in its dead letter, as it is too large, is not looked into.
///
/// # Errors
/// As for [`list`].
pub async fn about(bus: &Bus, needle: &str, since: UnixMillis) -> Result<Found, BusError> {
    let moment = BrokerMicros(since.0.saturating_mul(1000));
    let Some(first) = bus.first_since(DEAD_LETTERS.name, ALL, moment).await? else {
        return Ok(Found::default());
    };
    let (mut letters, mut seen) = (Vec::new(), BTreeSet::new());
    let mut pages = bus.pages(DEAD_LETTERS.name, ALL, first.sequence);
    for _ in 0..LOOKED_THROUGH {
        let Some(page) = pages.next().await? else { break };
        let naming = page.iter().filter_map(|entry| naming(needle, entry));
        letters.extend(naming.filter(|letter| seen.insert(letter.id.clone())));
    }
    Ok(Found {
        letters,
        may_have_more: pages.begins().is_some(),
    })
}

/// The dead letter, if its work names something.
fn naming(needle: &str, entry: &Entry) -> Option<Summary> {
    let letter: DeadLetter = entry.decode().ok()?;
    let names_it = match &letter.payload {
        Payload::Text(text) => text.contains(needle),
        Payload::Hex(_) | Payload::Object(_) => false,
    };
    names_it.then(|| Summary::from(&letter))
}

/// One of them.
///
/// # Errors
/// As for [`list`].
pub async fn find(bus: &Bus, id: &DeadLetterId) -> Result<Option<Buried>, BusError> {
    let found = bus.first(DEAD_LETTERS.name, &subject(id), 1).await?;
    let decoded = found.map(|entry| {
        entry.decode().map(|letter| Buried {
            sequence: entry.sequence,
            letter,
        })
    });
    Ok(decoded.transpose()?)
}

/// Sends its work through the pipeline again, and removes it.
///
/// # Errors
/// [`ReplayError`]; it stays then.
pub async fn replay(bus: &Bus, buried: &Buried, now: UnixMillis) -> Result<Replayed, ReplayError> {
    let replayed = replay::replay(bus, &buried.letter, now).await?;
    remove(bus, buried).await?;
    Ok(replayed)
}

/// Removes it, with what else has its identifier: the same work, given up again. Is it gone already, all is well.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn remove(bus: &Bus, buried: &Buried) -> Result<(), BusError> {
    let subject = subject(&buried.letter.id);
    bus.delete_if_there(DEAD_LETTERS.name, &subject, buried.sequence)
        .await?;
    // Each only once, for a follower of a cluster may still show what is gone.
    let mut from = 1;
    while let Some(again) = bus.first(DEAD_LETTERS.name, &subject, from).await? {
        bus.delete_if_there(DEAD_LETTERS.name, &subject, again.sequence)
            .await?;
        from = again.sequence + 1;
    }
    Ok(())
}

/// Stage and class stand before the identifier in the subject, and are not known.
fn subject(id: &DeadLetterId) -> String {
    format!("dead-letters.*.*.{id}")
}
