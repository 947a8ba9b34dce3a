//! How the arms of a bot's split do, counted from its transcripts. They lie under one subject per conversation, so those
//! of all bots are read.

mod tally;

use std::time::Duration;

use bus::{Bus, BusError};
use proto_schemas::ids::{BotId, BrokerMicros};
use proto_schemas::topology::{REGISTRY, TRANSCRIPTS};
use proto_schemas::transcript::Transcript;
use registry::Arm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use tally::Tally;
pub use tally::{Line, Percentiles};

const ALL_TRANSCRIPTS: &str = "transcripts.*";

/// How the arms of a bot did.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ArmReport")]
pub struct Report {
    /// A line for each arm that the split has or that had turns.
    pub arms: Vec<Line>,
    /// A line for each integration that answered, or was asked last, when the bot had no split.
    pub outside: Vec<Line>,
}

/// What was counted.
#[derive(Debug)]
pub struct Counted {
    /// How the arms did.
    pub report: Report,
    /// Whether every turn of the time was looked at.
    pub is_whole: bool,
}

impl Report {
    /// The turns of all lines.
    pub fn turns(&self) -> u64 {
        self.arms.iter().chain(&self.outside).map(|line| line.turns).sum()
    }
}

/// Counts what a bot's conversations have come to in the time that has passed `since`, by the broker's clock, beside the
/// arms that it has `now`. At most about `most` turns, of all bots, are looked at, the oldest first.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn count(
    bus: &Bus,
    bot: &BotId,
    now: &[Arm],
    since: Duration,
    most: usize,
) -> Result<Counted, BusError> {
    let mut tally = Tally::default();
    let mut is_whole = true;
    if let Some(first) = first(bus, since).await? {
        let mut pages = bus.pages(TRANSCRIPTS.name, ALL_TRANSCRIPTS, first);
        let mut looked_at = 0;
        while let Some(page) = pages.next().await? {
            if looked_at >= most {
                is_whole = false;
                break;
            }
            looked_at += page.len();
            let transcripts = page.iter().filter_map(|entry| entry.decode::<Transcript>().ok());
            transcripts
                .filter(|transcript| transcript.bot == *bot)
                .for_each(|transcript| tally.count(&transcript));
        }
    }
    Ok(Counted {
        report: tally.report(now),
        is_whole,
    })
}

/// The sequence of the first transcript since then.
async fn first(bus: &Bus, since: Duration) -> Result<Option<u64>, BusError> {
    let now = bus.time(&REGISTRY).await?;
    let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    let moment = BrokerMicros(now.0.saturating_sub(micros));
    let first = bus.first_since(TRANSCRIPTS.name, ALL_TRANSCRIPTS, moment).await?;
    Ok(first.map(|entry| entry.sequence))
}
