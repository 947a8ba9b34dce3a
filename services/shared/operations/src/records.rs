//! Reading and changing the records of the configuration, one at a time and by compare-and-set.

use bus::{Bus, BusError, Entry, TraceContext};
use proto_schemas::subjects;
use proto_schemas::topology::{REGISTRY, bucket_stream};
use registry::{AllowedSecrets, Problem, Snapshot};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{Record, check, read};

/// A record as it is now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Stored{T}")]
pub struct Stored<T> {
    /// Its identifier.
    pub id: String,
    /// Its revision, which a change has to name.
    pub revision: u64,
    /// The record; absent when this build cannot read what is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<T>,
}

/// Some of the records of a kind, in the order of their identifiers.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct Page<T> {
    /// The records.
    pub items: Vec<Stored<T>>,
    /// What the question for the next page names; absent behind the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A revision of a record: what was stored, or that it was removed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Past{T}")]
pub struct Past<T> {
    /// Its revision.
    pub revision: u64,
    /// When it was stored, in RFC 3339.
    pub stored_at: String,
    /// Whether the record was removed then.
    pub removed: bool,
    /// The record; absent when it was removed, or when this build cannot read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<T>,
}

/// What has to be stored for a change to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: the record is new, or was removed.
    Absent,
    /// This revision.
    Revision(u64),
}

/// A change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Written {
    /// The revision that was there; absent when the record is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The revision that is there now: of the record, or of the marker of its removal.
    pub to: u64,
}

/// Why a record was not read or changed.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is no such record.
    #[error("there is no such record")]
    Unknown,
    /// Its history has no such revision, or the record was removed with it.
    #[error("the history holds no record of this revision")]
    UnknownRevision,
    /// What is stored is not what the condition says.
    #[error("the record has changed meanwhile, or was there, or was not")]
    Changed,
    /// It breaks rules.
    #[error("the record breaks rules")]
    Invalid(Vec<Problem>),
    /// Others refer to it.
    #[error("others refer to it: {}", .0.join(", "))]
    InUse(Vec<String>),
    /// The broker.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// At most `limit` records whose identifiers come after `after`. Which there are is told by the snapshot, which may be
/// some milliseconds old; what they hold is read.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn list<T: Record>(
    bus: &Bus,
    snapshot: &Snapshot,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<T>, BusError> {
    let mut ids = T::all(snapshot);
    ids.retain(|id| after.is_none_or(|after| *id > after));
    ids.sort_unstable();
    let more = ids.len() > limit;
    ids.truncate(limit);
    let mut items = Vec::with_capacity(ids.len());
    for id in &ids {
        // Removed since the snapshot was taken.
        let Some(entry) = present::<T>(bus, id).await? else {
            continue;
        };
        items.push(stored(id, &entry));
    }
    let next_cursor = ids.last().filter(|_| more).map(|id| (*id).to_owned());
    Ok(Page { items, next_cursor })
}

/// A record.
///
/// # Errors
/// [`RecordError::Unknown`], or the broker's.
pub async fn show<T: Record>(bus: &Bus, id: &str) -> Result<Stored<T>, RecordError> {
    let entry = present::<T>(bus, id).await?.ok_or(RecordError::Unknown)?;
    Ok(stored(id, &entry))
}

/// What a record was, newest first, as far back as the bucket remembers.
///
/// # Errors
/// [`RecordError::Unknown`] when there never was such a record, or the broker's.
pub async fn history<T: Record>(bus: &Bus, id: &str) -> Result<Vec<Past<T>>, RecordError> {
    let mut past: Vec<Past<T>> = Vec::new();
    bus.each(&bucket_stream(&REGISTRY), &subject::<T>(id), 1, |entry| {
        past.push(Past {
            revision: entry.sequence,
            stored_at: entry.stored_at.clone(),
            removed: entry.is_removal(),
            record: decoded(&entry),
        });
    })
    .await?;
    if past.is_empty() {
        return Err(RecordError::Unknown);
    }
    past.reverse();
    Ok(past)
}

/// The rules that a record breaks, if it were stored under this identifier.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn validate<T: Record>(
    bus: &Bus,
    allowed: &AllowedSecrets,
    id: &str,
    document: Value,
) -> Result<Vec<Problem>, BusError> {
    let judged = judged::<T>(bus, allowed, id, document).await?;
    Ok(judged.err().unwrap_or_default())
}

/// Stores a record.
///
/// # Errors
/// [`RecordError::Invalid`] with every broken rule, [`RecordError::Changed`] when the condition does not hold, or the
/// broker's.
pub async fn put<T: Record>(
    bus: &Bus,
    allowed: &AllowedSecrets,
    id: &str,
    document: Value,
    condition: Condition,
) -> Result<Written, RecordError> {
    let record: T = judged(bus, allowed, id, document)
        .await?
        .map_err(RecordError::Invalid)?;
    let from = present::<T>(bus, id).await?.map(|entry| entry.sequence);
    let expected = match (condition, from) {
        (Condition::Absent, None) => 0,
        (Condition::Revision(wanted), Some(found)) if wanted == found => found,
        (Condition::Absent | Condition::Revision(_), _) => return Err(RecordError::Changed),
    };
    let key = T::key(id);
    let set = bus.compare_and_set(&REGISTRY, &key, expected, &record, TraceContext::new());
    Ok(Written {
        from,
        to: set.await.map_err(lost)?,
    })
}

/// Stores a record as it was at an earlier revision.
///
/// # Errors
/// [`RecordError::UnknownRevision`], or as for [`put`].
pub async fn roll_back<T: Record>(
    bus: &Bus,
    allowed: &AllowedSecrets,
    id: &str,
    revision: u64,
    condition: Condition,
) -> Result<Written, RecordError> {
    let mut found = None;
    bus.each(&bucket_stream(&REGISTRY), &subject::<T>(id), 1, |entry| {
        if entry.sequence == revision && !entry.is_removal() {
            found = serde_json::from_slice(&entry.payload).ok();
        }
    })
    .await?;
    let document = found.ok_or(RecordError::UnknownRevision)?;
    put::<T>(bus, allowed, id, document, condition).await
}

/// Removes a record. What it was stays in its history.
///
/// # Errors
/// [`RecordError::InUse`] when others refer to it, [`RecordError::Changed`] when it has another revision, or the
/// broker's.
pub async fn delete<T: Record>(
    bus: &Bus,
    snapshot: &Snapshot,
    id: &str,
    revision: u64,
) -> Result<Written, RecordError> {
    let found = present::<T>(bus, id).await?.ok_or(RecordError::Unknown)?;
    if found.sequence != revision {
        return Err(RecordError::Changed);
    }
    let users = T::users(id, snapshot);
    if !users.is_empty() {
        return Err(RecordError::InUse(users));
    }
    let key = T::key(id);
    let retired = bus.retire(&REGISTRY, &key, revision, TraceContext::new());
    Ok(Written {
        from: Some(revision),
        to: retired.await.map_err(lost)?,
    })
}

fn lost(error: BusError) -> RecordError {
    if matches!(error, BusError::Conflict) {
        RecordError::Changed
    } else {
        RecordError::Bus(error)
    }
}

/// The record, or every rule that it breaks.
async fn judged<T: Record>(
    bus: &Bus,
    allowed: &AllowedSecrets,
    id: &str,
    document: Value,
) -> Result<Result<T, Vec<Problem>>, BusError> {
    let key = T::key(id);
    let (record, unknown) = match read::<T>(document) {
        Ok(read) => read,
        Err(error) => {
            let message = error.to_string();
            return Ok(Err(vec![Problem { path: key, message }]));
        }
    };
    let mut problems: Vec<Problem> = unknown
        .into_iter()
        .map(|Problem { path, message }| Problem {
            path: format!("{key}.{path}"),
            message,
        })
        .collect();
    if record.id() != id {
        problems.push(Problem {
            path: format!("{key}.id"),
            message: format!("must be {id:?}, as the address says"),
        });
    }
    let alone = record.clone().alone();
    problems.extend(allowed.check(&alone));
    problems.extend(check(bus, &alone).await?);
    Ok(if problems.is_empty() {
        Ok(record)
    } else {
        Err(problems)
    })
}

async fn present<T: Record>(bus: &Bus, id: &str) -> Result<Option<Entry>, BusError> {
    let last = bus.last(&bucket_stream(&REGISTRY), &subject::<T>(id)).await?;
    Ok(last.filter(|entry| !entry.is_removal()))
}

fn subject<T: Record>(id: &str) -> String {
    subjects::key(REGISTRY.name, &T::key(id))
}

fn stored<T: Record>(id: &str, entry: &Entry) -> Stored<T> {
    Stored {
        id: id.to_owned(),
        revision: entry.sequence,
        record: decoded(entry),
    }
}

fn decoded<T: Record>(entry: &Entry) -> Option<T> {
    if entry.is_removal() {
        return None;
    }
    entry.decode().ok()
}
