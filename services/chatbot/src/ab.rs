//! `chatbot ab`: how the arms of a bot's split do.

mod table;

use std::time::Duration;

use bus::Bus;
use clap::Args;
use operations::ab::{Report, count};
use proto_schemas::ids::BotId;
use registry::{Bot, Split, SplitBy};

use crate::output::{self, say};
use crate::{Failure, apply};

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
    let split = bot.as_deref().and_then(|bot| bot.split.as_ref());
    let arms = split.map_or(&[][..], |split| &split.arms);
    let counted = count(bus, &id, arms, options.since, usize::MAX).await;
    let report = counted.map_err(Failure::new)?.report;
    let span = humantime::format_duration(options.since);
    if bot.is_none() && report.turns() == 0 {
        return Err(Failure(format!(
            "there is no bot {id}, and in the last {span} it has finished no turn"
        )));
    }
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
