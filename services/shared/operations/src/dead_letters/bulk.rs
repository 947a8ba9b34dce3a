//! Many dead letters in one go.

use std::collections::BTreeSet;

use bus::{Bus, BusError};
use proto_schemas::ids::{DeadLetterId, UnixMillis};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Buried, Filter, Replayed, list, remove, replay};
use crate::replay::ReplayError;

/// What became of some dead letters, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeadLettersHandled")]
pub struct Bulk {
    /// Those that were replayed or removed.
    pub done: Vec<Handled>,
    /// Those that stay.
    pub failed: Vec<Left>,
    /// What the request for the next ones names; absent when there are no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A dead letter that is one no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeadLetterHandled")]
pub struct Handled {
    /// The dead letter.
    pub id: DeadLetterId,
    /// What became of its work; absent when it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Replayed>,
}

/// A dead letter that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "DeadLetterLeft")]
pub struct Left {
    /// The dead letter.
    pub id: DeadLetterId,
    /// Why, for a program.
    pub code: String,
    /// Why, for a person.
    pub message: String,
}

/// What is done with each.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// Sends its work through the pipeline again, at this moment.
    Replay(UnixMillis),
    Remove,
}

impl Work {
    async fn on(self, bus: &Bus, buried: &Buried) -> Result<Option<Replayed>, ReplayError> {
        match self {
            Self::Replay(now) => replay(bus, buried, now).await.map(Some),
            Self::Remove => Ok(remove(bus, buried).await.map(|()| None)?),
        }
    }
}

/// Replays at most `limit` of the dead letters that a filter lets through, from a place on, which is 0 or another answer's
/// cursor. Those that cannot be replayed stay, and are told.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses before anything is done. Later on it ends the list, whose cursor then
/// names the one that it failed at.
pub async fn replay_some(
    bus: &Bus,
    filter: &Filter,
    from: u64,
    limit: usize,
    now: UnixMillis,
) -> Result<Bulk, BusError> {
    each(bus, filter, from, limit, Work::Replay(now)).await
}

/// Removes at most `limit` of the dead letters that a filter lets through, from a place on.
///
/// # Errors
/// As for [`replay_some`].
pub async fn purge_some(bus: &Bus, filter: &Filter, from: u64, limit: usize) -> Result<Bulk, BusError> {
    each(bus, filter, from, limit, Work::Remove).await
}

async fn each(bus: &Bus, filter: &Filter, from: u64, limit: usize, work: Work) -> Result<Bulk, BusError> {
    let found = list(bus, filter, from, limit).await?;
    let mut bulk = Bulk {
        next_cursor: found.next.map(|next| next.to_string()),
        ..Bulk::default()
    };
    // Work that was given up again is there twice, and goes with its first.
    let mut seen = BTreeSet::new();
    for buried in &found.items {
        let id = &buried.letter.id;
        if !seen.insert(id) {
            continue;
        }
        match work.on(bus, buried).await {
            Ok(replayed) => bulk.done.push(Handled {
                id: id.clone(),
                replayed,
            }),
            Err(ReplayError::Bus(error)) if bulk.done.is_empty() => return Err(error),
            Err(error) => {
                let ends = matches!(error, ReplayError::Bus(_));
                bulk.failed.push(Left {
                    id: id.clone(),
                    code: error.code().to_owned(),
                    message: error.to_string(),
                });
                if ends {
                    bulk.next_cursor = Some(buried.sequence.to_string());
                    break;
                }
            }
        }
    }
    Ok(bulk)
}
