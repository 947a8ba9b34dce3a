//! `chatbot ab`: how the arms of a bot's split do.

mod table;

use std::time::Duration;

use clap::Args;
use operations::ab::{Counted, Report, count};
use proto_schemas::ids::BotId;
use registry::{Arm, Bot, Split, SplitBy};
use serde::Deserialize;

use crate::output::{self, say};
use crate::platform::Platform;
use crate::server::{Server, with_query};
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

/// What the console counts.
#[derive(Deserialize)]
struct Told {
    #[serde(flatten)]
    report: Report,
    is_whole: bool,
}

/// Counts and prints.
pub(crate) async fn ab(options: &Options, platform: &Platform) -> Result<(), Failure> {
    let id = BotId::new(&options.bot).map_err(Failure::new)?;
    let bot = bot(platform, &id).await?;
    let split = bot.as_ref().and_then(|bot| bot.split.as_ref());
    let arms = split.map_or(&[][..], |split| &split.arms);
    let Counted { report, is_whole } = counted(platform, &id, arms, options.since).await?;
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
            kind(bot.as_ref(), split),
            report.turns()
        );
        output::write(format_args!("{}", text(&report)));
        if !is_whole {
            say!(
                "the console has counted the oldest turns only: ask the broker for all, or for a shorter time"
            );
        }
    }
    Ok(())
}

/// The bot as it is configured now; none when it is not.
async fn bot(platform: &Platform, id: &BotId) -> Result<Option<Bot>, Failure> {
    match platform {
        Platform::Broker(bus) => {
            let bots = apply::stored(bus).await?.bots;
            Ok(bots.get(id).map(|bot| bot.as_ref().clone()))
        }
        Platform::Console(server) => {
            let found = server.find(&format!("/v1/bots/{id}")).await?;
            Ok(found.map(|found| found.value))
        }
    }
}

async fn counted(platform: &Platform, id: &BotId, arms: &[Arm], since: Duration) -> Result<Counted, Failure> {
    match platform {
        Platform::Broker(bus) => count(bus, id, arms, since, usize::MAX)
            .await
            .map_err(Failure::new),
        Platform::Console(server) => counted_by(server, id, since).await,
    }
}

async fn counted_by(server: &Server, id: &BotId, since: Duration) -> Result<Counted, Failure> {
    const HOUR: u64 = 60 * 60;
    if since.subsec_nanos() > 0 || !since.as_secs().is_multiple_of(HOUR) {
        return Err(Failure::new("a console counts whole hours: say so with --since"));
    }
    let hours = [("hours", (since.as_secs() / HOUR).to_string())];
    let path = with_query(&format!("/v1/bots/{id}/ab"), &hours);
    let found = server.find::<Told>(&path).await?;
    let found = found.ok_or_else(|| Failure(format!("there is no bot {id}")))?;
    let Told { report, is_whole } = found.value;
    Ok(Counted { report, is_whole })
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
