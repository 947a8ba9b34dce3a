//! `chatbot ab`: how the arms of a bot's split do, counted from its transcripts. They lie under one subject per
//! conversation, so those of all bots are read; a command line may.

mod table;
mod tally;

use std::time::Duration;

use bus::{Bus, BusError};
use clap::Args;
use proto_schemas::ids::{BotId, BrokerMicros};
use proto_schemas::topology::{CONTEXTS, TRANSCRIPTS};
use proto_schemas::transcript::Transcript;
use registry::{Bot, Split, SplitBy};

use crate::output::{self, say};
use crate::{Failure, apply};
use tally::{Report, Tally};

const ALL_TRANSCRIPTS: &str = "transcripts.*";

/// Options of `ab`.
#[derive(Args)]
pub(crate) struct Options {
    /// The bot.
    bot: String,
    /// How far back turns are counted, as `24h` or `7d`.
    #[arg(long, default_value = "24h", value_parser = humantime::parse_duration)]
    since: Duration,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Counts and prints.
pub(crate) async fn ab(options: &Options, bus: &Bus) -> Result<(), Failure> {
    let id = BotId::new(&options.bot).map_err(Failure::new)?;
    let bot = apply::stored(bus).await?.bots.get(&id).cloned();
    let tally = read(bus, &id, options.since).await?;
    let span = humantime::format_duration(options.since);
    if bot.is_none() && tally.is_empty() {
        return Err(Failure(format!(
            "there is no bot {id}, and in the last {span} it has finished no turn"
        )));
    }
    let split = bot.as_deref().and_then(|bot| bot.split.as_ref());
    let report = tally.report(split.map_or(&[], |split| &split.arms));
    if options.json {
        say!("{}", serde_json::to_string_pretty(&report).map_err(Failure::new)?);
    } else {
        say!(
            "{id}: {}, {} turns in the last {span}",
            kind(bot.as_deref(), split),
            report.turns()
        );
        output::write(format_args!("{}", text(&report)));
    }
    Ok(())
}

/// Counts what the bot's conversations have come to since then, by the broker's clock.
async fn read(bus: &Bus, bot: &BotId, since: Duration) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let Some(first) = first(bus, since).await.map_err(Failure::new)? else {
        return Ok(tally);
    };
    bus.each(TRANSCRIPTS.name, ALL_TRANSCRIPTS, first, |entry| {
        if let Ok(transcript) = entry.decode::<Transcript>()
            && transcript.bot == *bot
        {
            tally.count(&transcript);
        }
    })
    .await
    .map_err(Failure::new)?;
    Ok(tally)
}

/// The sequence of the first transcript since then.
async fn first(bus: &Bus, since: Duration) -> Result<Option<u64>, BusError> {
    let now = bus.time(&CONTEXTS).await?;
    let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    let moment = BrokerMicros(now.0.saturating_sub(micros));
    let first = bus.first_since(TRANSCRIPTS.name, ALL_TRANSCRIPTS, moment).await?;
    Ok(first.map(|entry| entry.sequence))
}

fn kind(bot: Option<&Bot>, split: Option<&Split>) -> &'static str {
    match (bot, split.map(|split| split.by)) {
        (None, _) => "is not configured any more",
        (Some(_), None) => "has no split",
        (Some(_), Some(SplitBy::Conversation)) => "split by conversation",
        (Some(_), Some(SplitBy::Message)) => "split by message",
    }
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    if !report.arms.is_empty() {
        text += &table::of("arm", &report.arms);
    }
    if !report.outside.is_empty() {
        text += "outside a split, by the integration that answered or was asked last:\n";
        text += &table::of("integration", &report.outside);
    }
    text
}
