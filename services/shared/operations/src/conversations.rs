//! What was said: the conversations that lately had a turn, and the turns of one.

use std::collections::HashSet;

use bus::{Bus, BusError, Entry};
use proto_schemas::content::{ChannelKind, User};
use proto_schemas::ids::{BotId, ConnectionId, ConversationId, UnixMillis};
use proto_schemas::subjects;
use proto_schemas::topology::TRANSCRIPTS;
use proto_schemas::transcript::Transcript;
use schemars::JsonSchema;
use serde::Serialize;

/// How many turns are read at once, and about how many bytes.
const WINDOW: u64 = 256;
const WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// How many windows are read for one page: a busy conversation may fill them alone.
const WINDOWS: usize = 4;

/// A conversation by its newest turn that is finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ConversationSummary")]
pub struct Summary {
    /// The conversation.
    pub id: ConversationId,
    /// The bot that answered.
    pub bot: BotId,
    /// The connection.
    pub connection: ConnectionId,
    /// The kind of that connection.
    pub channel: ChannelKind,
    /// Who asked.
    pub user: User,
    /// When the turn was finished.
    pub concluded_at: UnixMillis,
}

/// Some conversations, the latest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Conversations")]
pub struct Recent {
    /// Each conversation once, by its newest turn of this page. May be none although more follow; on a later page it may
    /// come again, by an older turn.
    pub items: Vec<Summary>,
    /// What the question for the next page names; absent behind the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Some turns of a conversation, oldest first.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Transcripts")]
pub struct Turns {
    /// The turns.
    pub items: Vec<Transcript>,
    /// What the question for the next page names; absent behind the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// At most `limit` conversations by turns that were finished before a place, which another answer's cursor names; the
/// newest without one.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn recent(bus: &Bus, before: Option<u64>, limit: usize) -> Result<Recent, BusError> {
    let held = bus.holdings(TRANSCRIPTS.name).await?;
    let mut before = before.unwrap_or(u64::MAX).min(held.last.saturating_add(1));
    let mut seen = HashSet::new();
    let mut items = Vec::new();
    for _ in 0..WINDOWS {
        if before <= held.first {
            return Ok(Recent {
                items,
                next_cursor: None,
            });
        }
        let from = before.saturating_sub(WINDOW).max(held.first);
        for entry in window(bus, from, before).await?.iter().rev() {
            // What cannot be read was written by a later build, which shows it.
            let Ok(transcript) = entry.decode::<Transcript>() else {
                continue;
            };
            if seen.contains(&transcript.conversation) {
                continue;
            }
            if items.len() == limit {
                let next_cursor = Some((entry.sequence + 1).to_string());
                return Ok(Recent { items, next_cursor });
            }
            seen.insert(transcript.conversation.clone());
            items.push(Summary::from(transcript));
        }
        before = from;
    }
    let next_cursor = (before > held.first).then(|| before.to_string());
    Ok(Recent { items, next_cursor })
}

/// At most `limit` turns of a conversation from a place on, which is 0 or another answer's cursor.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn turns(bus: &Bus, id: &ConversationId, from: u64, limit: usize) -> Result<Turns, BusError> {
    let subject = subjects::transcript(id);
    let found = bus
        .entries(TRANSCRIPTS.name, &subject, from, limit, WINDOW_BYTES)
        .await?;
    let last = found.list.last().filter(|_| found.behind > 0);
    Ok(Turns {
        next_cursor: last.map(|last| (last.sequence + 1).to_string()),
        items: found
            .list
            .iter()
            .filter_map(|entry| entry.decode().ok())
            .collect(),
    })
}

/// All turns from one place to before another, oldest first.
async fn window(bus: &Bus, from: u64, before: u64) -> Result<Vec<Entry>, BusError> {
    let mut list: Vec<Entry> = Vec::new();
    let mut pages = bus.pages(TRANSCRIPTS.name, "transcripts.*", from);
    while pages.begins().is_some_and(|begins| begins < before) {
        let Some(page) = pages.next().await? else { break };
        list.extend(page.into_iter().filter(|entry| entry.sequence < before));
    }
    Ok(list)
}

impl From<Transcript> for Summary {
    fn from(transcript: Transcript) -> Self {
        Self {
            id: transcript.conversation,
            bot: transcript.bot,
            connection: transcript.connection,
            channel: transcript.channel,
            user: transcript.user,
            concluded_at: transcript.concluded_at,
        }
    }
}
