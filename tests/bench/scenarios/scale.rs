//! Does a turn cost more where many conversations exist? Closed loops on an empty broker, on one that holds many
//! conversations of 20 messages, and on an empty one again.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Options, settings};
use crate::chain::start_broker;
use crate::fakes::Behaviour;
use crate::pipeline::{BOTS, UNLIMITED_SENDERS};
use crate::preload::preload;
use crate::report::{median, say, say_head, say_run, write};
use crate::run::Run;
use crate::world::{Outside, World};

/// How long things took before the load began.
struct Starts {
    preload: Duration,
    broker: Duration,
    services: Duration,
}

/// Measures, prints, writes.
pub(super) async fn run(options: Options) -> Result<(), String> {
    let existing = options.conversations;
    say_head(&format!(
        "scale: closed loop, {} conversations; nothing else, {existing} existing ones, nothing else",
        options.active
    ));
    let mut empty = vec![on_empty(options).await?];
    let (loaded, starts) = on_loaded(options).await?;
    empty.push(on_empty(options).await?);
    let rate = |runs: &[Run]| median(runs.iter().map(|run| run.turns_per_second));
    let cpu = |runs: &[Run]| median(runs.iter().map(|run| run.cpu_seconds_per_1000_turns));
    say(&format!(
        "\n  {existing} conversations: {:.2} times the CPU per turn, {:.2} times the turns/s; the broker starts in \
         {:.1} s, the services in {:.1} s (written in {:.0} s)",
        cpu(&loaded) / cpu(&empty),
        rate(&loaded) / rate(&empty),
        starts.broker.as_secs_f64(),
        starts.services.as_secs_f64(),
        starts.preload.as_secs_f64(),
    ));
    let results = json!({
        "existing_conversations": existing,
        "cpu_ratio_to_empty": cpu(&loaded) / cpu(&empty),
        "rate_ratio_to_empty": rate(&loaded) / rate(&empty),
        "broker_start_seconds": starts.broker.as_secs_f64(),
        "services_start_seconds": starts.services.as_secs_f64(),
        "empty": empty,
        "loaded": loaded,
    });
    let facts = json!({ "existing_conversations": existing });
    write(
        &format!("scale-{existing}"),
        &settings(options, &UNLIMITED_SENDERS, facts),
        &results,
    )
}

async fn on_empty(options: Options) -> Result<Run, String> {
    let world = World::platform(options.active, Behaviour::default()).await;
    let run = world.saturate(&options.everybody(), options.duration).await;
    say_run(&run);
    world.settle().await.map(|()| run)
}

async fn on_loaded(options: Options) -> Result<(Vec<Run>, Starts), String> {
    let mut nats = start_broker().await;
    let began = Instant::now();
    preload(&nats, options.conversations).await;
    let written = began.elapsed();
    nats.stop().await;
    let began = Instant::now();
    nats.restart().await;
    let broker = began.elapsed();
    let outside = Outside::new(options.conversations, Behaviour::default()).await;
    let began = Instant::now();
    let world = World::platform_on(nats, outside, &UNLIMITED_SENDERS).await;
    let services = began.elapsed();
    let mut runs = Vec::new();
    for _ in 0..options.runs {
        let run = world.saturate(&spread(options), options.duration).await;
        say_run(&run);
        runs.push(run);
        world.settle().await?;
        world.rest().await;
        world.ledger.forget_freed();
    }
    let starts = Starts {
        preload: written,
        broker,
        services,
    };
    Ok((runs, starts))
}

/// The active conversations among the existing ones: evenly spread, as many of each bot.
fn spread(options: Options) -> Vec<usize> {
    let stride = options.conversations / options.active;
    let of_bot = |index: usize| index * stride / BOTS * BOTS + index % BOTS;
    (0..options.active).map(of_bot).collect()
}
