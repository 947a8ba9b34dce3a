//! What a channel costs: the same load on each, below what all platforms allow, so that nothing waits for a limit.

use std::time::Duration;

use serde_json::json;

use super::{Options, settings};
use crate::broker::Broker;
use crate::fakes::Behaviour;
use crate::pipeline::{Bot, UNLIMITED_SENDERS};
use crate::platforms::PlatformKind;
use crate::report::{say, say_head, say_run, write};
use crate::run::Run;
use crate::world::{Outside, World, during};

/// Bots, each with an account of its own: Slack takes five messages a second from one.
const BOTS: usize = 32;
/// Messages per second of all bots together.
const RATE: f64 = 100.0;
/// How long the load goes on before it is measured.
const RUN_IN: Duration = Duration::from_secs(2);

/// Measures, prints, writes.
pub(super) async fn run(options: Options) -> Result<(), String> {
    let rate = options.rate.unwrap_or(RATE);
    say_head(&format!(
        "channels: open loop, {rate:.0} messages/s, {BOTS} bots, {} chats, instant webhook",
        options.active
    ));
    say("  http");
    let outside = Outside::new(options.active, Behaviour::default()).await;
    let bots = vec![Bot::at(outside.backend.url()); BOTS];
    let take_turns = |conversation| conversation % BOTS;
    let world = World::with_bots(
        Broker::start().await,
        outside,
        &bots,
        &UNLIMITED_SENDERS,
        take_turns,
    )
    .await;
    let mut runs = vec![(
        "http",
        measure(world, rate, options.duration, options.active).await?,
    )];
    for kind in PlatformKind::ALL {
        say(&format!("  {}", kind.name()));
        let world = World::on_platform(kind, BOTS, options.active).await;
        let run = measure(world, rate, options.duration, options.active).await?;
        runs.push((kind.name(), run));
    }
    let results: Vec<_> = runs
        .into_iter()
        .map(|(channel, run)| json!({ "channel": channel, "run": run }))
        .collect();
    let facts =
        json!({ "messages_per_second": rate, "bots": format!("{BOTS}, each with an account of its own") });
    write(
        "channels",
        &settings(options, &UNLIMITED_SENDERS, facts),
        &results,
    )
}

async fn measure(world: World, rate: f64, window: Duration, chats: usize) -> Result<Run, String> {
    let load = world.driver.in_turn(chats, rate);
    let run = during(load, async {
        // The first messages open connections.
        tokio::time::sleep(RUN_IN).await;
        world.measure_all(window).await
    })
    .await;
    say_run(&run);
    world.settle().await?;
    Ok(run)
}
