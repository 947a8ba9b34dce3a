//! `chatbot dead-letters`: what was given up, why, and what to do with it.

use std::num::NonZeroU32;
use std::time::{Duration, UNIX_EPOCH};

use bus::Bus;
use clap::{Args, Subcommand};
use proto_schemas::dead_letter::{DeadLetter, Payload, Stage};
use proto_schemas::subjects;
use proto_schemas::topology::DEAD_LETTERS;
use runtime::clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::output::say;
use crate::trace::all;
use crate::{Failure, replay};

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists them, oldest first.
    List(Filter),
    /// Shows one with its attempts and its payload.
    Show {
        /// Its identifier.
        id: String,
    },
    /// Sends them through the pipeline again and removes them.
    Replay(Replay),
    /// Removes them.
    Purge(Selection),
}

/// Which ones.
#[derive(Args)]
pub(crate) struct Filter {
    /// Only of this stage, as `webhook-caller`.
    #[arg(long)]
    stage: Option<String>,
    /// Only of this class, as `timeout`.
    #[arg(long)]
    class: Option<String>,
    /// Only those for which this integration was asked.
    #[arg(long)]
    integration: Option<String>,
    /// Only of this conversation.
    #[arg(long)]
    conversation: Option<String>,
    /// Only those given up within this time, as `2h`.
    #[arg(long, value_parser = humantime::parse_duration)]
    since: Option<Duration>,
}

/// Which ones, said explicitly.
#[derive(Args)]
pub(crate) struct Selection {
    /// This one.
    id: Option<String>,
    #[command(flatten)]
    filter: Filter,
    /// All that the filter lets through; needed when no identifier is given.
    #[arg(long)]
    all: bool,
}

/// Which ones, and how fast.
#[derive(Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    selection: Selection,
    /// At most so many a second, so that a backend that has just recovered is not overrun.
    #[arg(long, default_value = "10")]
    per_second: NonZeroU32,
}

/// A dead letter and where it lies.
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) letter: DeadLetter,
}

/// Does it.
pub(crate) async fn run(command: Command, bus: &Bus) -> Result<(), Failure> {
    match command {
        Command::List(filter) => list(bus, &filter).await,
        Command::Show { id } => show(bus, &id).await,
        Command::Replay(options) => replay_all(bus, &options).await,
        Command::Purge(selection) => purge(bus, &selection).await,
    }
}

/// The dead letters whose work names `needle`, as a message identifier.
pub(crate) async fn about(bus: &Bus, needle: &str) -> Result<Vec<DeadLetter>, Failure> {
    let names_it =
        |letter: &DeadLetter| matches!(&letter.payload, Payload::Text(text) if text.contains(needle));
    let stored = stored(bus).await?;
    Ok(stored
        .into_iter()
        .map(|stored| stored.letter)
        .filter(names_it)
        .collect())
}

async fn stored(bus: &Bus) -> Result<Vec<Stored>, Failure> {
    let entries = all(bus, DEAD_LETTERS.name, "dead-letters.>").await?;
    let decoded = entries.into_iter().filter_map(|entry| {
        let letter = entry.decode().ok()?;
        Some(Stored {
            sequence: entry.sequence,
            letter,
        })
    });
    Ok(decoded.collect())
}

impl Filter {
    fn lets_through(&self, letter: &DeadLetter) -> bool {
        self.stage
            .as_ref()
            .is_none_or(|stage| stage == letter.stage.as_str())
            && self.class.as_ref().is_none_or(|class| *class == letter.class)
            && self.integration.as_ref().is_none_or(|integration| {
                let mut asked = letter.attempts.iter().map(|attempt| attempt.integration.as_str());
                asked.any(|asked| asked == integration)
            })
            && self.conversation.as_ref().is_none_or(|conversation| {
                let found = subjects::conversation(&letter.subject);
                found.is_some_and(|found| found.as_str() == conversation)
            })
            && self
                .since
                .is_none_or(|since| clock::now().since(letter.buried_at) <= since)
    }

    fn check(&self) -> Result<(), Failure> {
        let Some(stage) = &self.stage else { return Ok(()) };
        if Stage::ALL.iter().any(|known| known.as_str() == stage) {
            return Ok(());
        }
        let known = Stage::ALL.map(Stage::as_str).join(", ");
        Err(Failure(format!("there is no stage {stage:?}; there are {known}")))
    }
}

async fn selected(bus: &Bus, selection: &Selection) -> Result<Vec<Stored>, Failure> {
    selection.filter.check()?;
    let stored = stored(bus).await?;
    match &selection.id {
        Some(id) => {
            let found: Vec<_> = stored
                .into_iter()
                .filter(|stored| stored.letter.id.as_str() == id)
                .collect();
            if found.is_empty() {
                Err(Failure(format!("there is no dead letter {id}")))
            } else {
                Ok(found)
            }
        }
        None if selection.all => Ok(stored
            .into_iter()
            .filter(|stored| selection.filter.lets_through(&stored.letter))
            .collect()),
        None => Err(Failure::new(
            "say which: an identifier, or --all (with --stage or --class)",
        )),
    }
}

async fn list(bus: &Bus, filter: &Filter) -> Result<(), Failure> {
    filter.check()?;
    let mut count = 0;
    for stored in stored(bus).await? {
        let letter = stored.letter;
        if filter.lets_through(&letter) {
            count += 1;
            say!(
                "{}  {}  {}  {}  {} attempts  {}",
                letter.id,
                humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(letter.buried_at.0)),
                letter.stage.as_str(),
                letter.class,
                letter.attempts.len(),
                letter.cause
            );
        }
    }
    say!("{count} dead letters");
    Ok(())
}

async fn show(bus: &Bus, id: &str) -> Result<(), Failure> {
    let found = stored(bus)
        .await?
        .into_iter()
        .find(|stored| stored.letter.id.as_str() == id);
    let letter = found
        .ok_or_else(|| Failure(format!("there is no dead letter {id}")))?
        .letter;
    say!("{}", serde_json::to_string_pretty(&letter).map_err(Failure::new)?);
    Ok(())
}

async fn replay_all(bus: &Bus, options: &Replay) -> Result<(), Failure> {
    let mut pace = interval(Duration::from_secs(1) / options.per_second.get());
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut done, mut left) = (0, 0);
    for stored in selected(bus, &options.selection).await? {
        pace.tick().await;
        match replay::replay(bus, &stored.letter).await {
            Ok(what) => {
                remove(bus, &stored).await?;
                done += 1;
                say!("{}  {what}", stored.letter.id);
            }
            Err(failure) => {
                left += 1;
                say!("{}  left as it is: {failure}", stored.letter.id);
            }
        }
    }
    say!("{done} replayed, {left} left");
    if left > 0 {
        Err(Failure(format!("{left} could not be replayed")))
    } else {
        Ok(())
    }
}

async fn purge(bus: &Bus, selection: &Selection) -> Result<(), Failure> {
    let found = selected(bus, selection).await?;
    for stored in &found {
        remove(bus, stored).await?;
    }
    say!("{} removed", found.len());
    Ok(())
}

async fn remove(bus: &Bus, stored: &Stored) -> Result<(), Failure> {
    bus.delete(DEAD_LETTERS.name, stored.sequence)
        .await
        .map_err(Failure::new)
}
