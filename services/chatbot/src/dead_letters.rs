//! `chatbot dead-letters`: what was given up, why, and what to do with it.

mod over_server;

use std::num::NonZeroU32;
use std::time::{Duration, UNIX_EPOCH};

use bus::Bus;
use clap::{Args, Subcommand};
use operations::dead_letters::{self, Buried, Replayed, Summary};
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::{DeadLetterId, UnixMillis};
use runtime::clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::Failure;
use crate::output::say;
use crate::platform::Platform;

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
    /// Only those given up longer ago than this, as `7d`.
    #[arg(long, value_parser = humantime::parse_duration)]
    until: Option<Duration>,
}

/// Which ones, said explicitly.
#[derive(Args)]
pub(crate) struct Selection {
    /// This one.
    #[arg(conflicts_with_all = ["stage", "class", "integration", "conversation", "since", "until", "all"])]
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

/// Does it.
pub(crate) async fn run(command: Command, platform: &Platform) -> Result<(), Failure> {
    match command {
        Command::List(filter) => list(platform, &filter).await,
        Command::Show { id } => show(platform, &id).await,
        Command::Replay(options) => replay_all(platform, &options).await,
        Command::Purge(selection) => purge(platform, &selection).await,
    }
}

impl Filter {
    fn parsed(&self) -> Result<dead_letters::Filter, Failure> {
        let stage = self.stage.as_deref().map(stage).transpose()?;
        let before = |span: Duration| {
            let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            UnixMillis(clock::now().0.saturating_sub(millis))
        };
        Ok(dead_letters::Filter {
            stage,
            class: self.class.clone(),
            integration: self.integration.clone(),
            conversation: self.conversation.clone(),
            since: self.since.map(before),
            until: self.until.map(before),
            through: None,
        })
    }
}

fn stage(name: &str) -> Result<Stage, Failure> {
    let found = Stage::ALL.into_iter().find(|stage| stage.as_str() == name);
    found.ok_or_else(|| {
        let known = Stage::ALL.map(Stage::as_str).join(", ");
        Failure(format!("there is no stage {name:?}; there are {known}"))
    })
}

/// All that a filter lets through, oldest first.
async fn all(platform: &Platform, filter: &Filter) -> Result<Vec<Summary>, Failure> {
    let filter = filter.parsed()?;
    match platform {
        Platform::Broker(bus) => {
            let found = dead_letters::all(bus, &filter).await.map_err(Failure::new)?;
            Ok(found.iter().map(|buried| Summary::from(&buried.letter)).collect())
        }
        Platform::Console(server) => Ok(over_server::all(server, filter).await?),
    }
}

async fn selected(platform: &Platform, selection: &Selection) -> Result<Vec<DeadLetterId>, Failure> {
    match &selection.id {
        Some(id) => Ok(vec![DeadLetterId::new(id).map_err(Failure::new)?]),
        None if selection.all => {
            let found = all(platform, &selection.filter).await?;
            Ok(found.into_iter().map(|summary| summary.id).collect())
        }
        None => Err(Failure::new(
            "say which: an identifier, or --all (with --stage or --class)",
        )),
    }
}

async fn found(bus: &Bus, id: &DeadLetterId) -> Result<Buried, Failure> {
    let found = dead_letters::find(bus, id).await.map_err(Failure::new)?;
    found.ok_or_else(|| unknown(id))
}

fn unknown(id: &DeadLetterId) -> Failure {
    Failure(format!("there is no dead letter {id}"))
}

async fn list(platform: &Platform, filter: &Filter) -> Result<(), Failure> {
    let found = all(platform, filter).await?;
    for letter in &found {
        say!(
            "{}  {}  {}  {}  {} attempts  {}",
            letter.id,
            humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_millis(letter.buried_at.0)),
            letter.stage.as_str(),
            letter.class,
            letter.attempts,
            letter.cause
        );
    }
    match found.len() {
        1 => say!("1 dead letter"),
        number => say!("{number} dead letters"),
    }
    Ok(())
}

async fn show(platform: &Platform, id: &str) -> Result<(), Failure> {
    let id = DeadLetterId::new(id).map_err(Failure::new)?;
    let letter = match platform {
        Platform::Broker(bus) => found(bus, &id).await?.letter,
        Platform::Console(server) => over_server::show(server, &id)
            .await?
            .ok_or_else(|| unknown(&id))?,
    };
    say!("{}", serde_json::to_string_pretty(&letter).map_err(Failure::new)?);
    Ok(())
}

async fn replay_all(platform: &Platform, options: &Replay) -> Result<(), Failure> {
    let mut pace = interval(Duration::from_secs(1) / options.per_second.get());
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut done, mut left) = (0, 0);
    for id in selected(platform, &options.selection).await? {
        pace.tick().await;
        match replay(platform, &id).await {
            Ok(what) => {
                done += 1;
                say!("{id}  {what}");
            }
            Err(error) => {
                left += 1;
                say!("{id}  left as it is: {error}");
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

async fn replay(platform: &Platform, id: &DeadLetterId) -> Result<Replayed, Failure> {
    match platform {
        Platform::Broker(bus) => {
            let buried = found(bus, id).await?;
            let replayed = dead_letters::replay(bus, &buried, clock::now()).await;
            replayed.map_err(Failure::new)
        }
        Platform::Console(server) => over_server::replay(server, id).await,
    }
}

async fn purge(platform: &Platform, selection: &Selection) -> Result<(), Failure> {
    let removed = match platform {
        Platform::Broker(bus) => {
            let ids = selected(platform, selection).await?;
            for id in &ids {
                let buried = found(bus, id).await?;
                dead_letters::remove(bus, &buried).await.map_err(Failure::new)?;
            }
            ids.len()
        }
        Platform::Console(server) if selection.id.is_none() && selection.all => {
            over_server::purge(server, selection.filter.parsed()?).await?
        }
        Platform::Console(server) => {
            let ids = selected(platform, selection).await?;
            for id in &ids {
                over_server::remove(server, id).await?;
            }
            ids.len()
        }
    };
    say!("{removed} removed");
    Ok(())
}
