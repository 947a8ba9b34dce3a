//! What the platform adds to the backend's time: open loop, at a rate that leaves it idle and at half of
//! saturation. The bare chain at the same rates shows how much of it is the broker's and the sockets'.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Options, settings};
use crate::driver::Refused;
use crate::fakes::Behaviour;
use crate::pipeline::UNLIMITED_SENDERS;
use crate::report::{say, say_head, say_run, write};
use crate::run::Run;
use crate::world::{World, during};

/// A rate that leaves two cores idle, in messages per second.
const QUIET_RATE: f64 = 50.0;
/// How long a rate is kept up before it is measured.
const RUN_IN: Duration = Duration::from_secs(2);

/// Measures, prints, writes. Without a rate half of saturation is found first.
pub(super) async fn run(options: Options, half: Option<f64>) -> Result<(), String> {
    let half = match half {
        Some(half) => half,
        None => saturation(options).await? / 2.0,
    };
    say_head(&format!(
        "latency: open loop, {} conversations, instant webhook",
        options.active
    ));
    let conversations = options.everybody();
    let platform = World::platform(options.active, Behaviour::default()).await;
    let sizes = platform
        .warm(&conversations, async || platform.sizes(&conversations).await)
        .await?;
    let mut results = at_both(half, &platform, options).await?;
    drop(platform);
    let bare = World::bare(options.active, sizes).await;
    bare.warm(&conversations, async || {}).await?;
    results.extend(at_both(half, &bare, options).await?);
    write(
        "latency",
        &settings(options, &UNLIMITED_SENDERS, json!({})),
        &results,
    )
}

async fn at_both(half: f64, world: &World, options: Options) -> Result<Vec<Value>, String> {
    let mut results = Vec::new();
    for rate in [QUIET_RATE, half] {
        say(&format!("  at {rate:.0} messages/s"));
        let run = at(rate, world, options).await?;
        say_run(&run);
        results.push(json!({ "messages_per_second": rate, "run": run }));
    }
    Ok(results)
}

/// One window at a fixed rate.
async fn at(rate: f64, world: &World, options: Options) -> Result<Run, String> {
    let load = world
        .driver
        .open_loop(0..options.active, rate, Refused::SendAgain);
    let run = during(load, async {
        tokio::time::sleep(RUN_IN).await;
        world.measure_all(options.duration).await
    })
    .await;
    world.settle().await?;
    world.rest().await;
    Ok(run)
}

async fn saturation(options: Options) -> Result<f64, String> {
    let world = World::platform(options.active, Behaviour::default()).await;
    let run = world.saturate(&options.everybody(), options.duration).await;
    world.settle().await?;
    Ok(run.turns_per_second)
}
