//! As fast as it goes: every conversation sends its next message when the reply to the last one came. The platform
//! and the bare chain in turns, so that a machine that gets slower meanwhile is unfair to none.

use std::time::Duration;

use serde_json::json;

use super::{Options, settings};
use crate::fakes::Behaviour;
use crate::pipeline::UNLIMITED_SENDERS;
use crate::report::{median, say, say_head, say_run, write};
use crate::run::Run;
use crate::sizes::Sizes;
use crate::world::{World, during};

/// Measures, prints, writes; returns the platform's turns per second.
pub(super) async fn run(options: Options) -> Result<f64, String> {
    say_head(&format!(
        "saturation: closed loop, {} conversations, instant webhook",
        options.active
    ));
    let (mut platform, mut bare, mut sizes) = (Vec::new(), Vec::new(), Sizes::default());
    for _ in 0..options.runs {
        let run;
        (run, sizes) = platform_run(options).await?;
        say_run(&run);
        platform.push(run);
        let run = bare_run(options, sizes).await?;
        say_run(&run);
        bare.push(run);
    }
    let rate = |runs: &[Run]| median(runs.iter().map(|run| run.turns_per_second));
    let cpu = |runs: &[Run]| median(runs.iter().map(|run| run.cpu_seconds_per_1000_turns));
    let (ours, yardstick) = (rate(&platform), rate(&bare));
    say(&format!(
        "\n  medians: {ours:.0} turns/s, bare chain {yardstick:.0}, ratio_to_bare_chain {:.2}; CPU s per 1,000 turns \
         {:.3}, bare chain {:.3}",
        ours / yardstick,
        cpu(&platform),
        cpu(&bare)
    ));
    let results = json!({
        "turns_per_second": ours,
        "cpu_seconds_per_1000_turns": cpu(&platform),
        "bare_turns_per_second": yardstick,
        "bare_cpu_seconds_per_1000_turns": cpu(&bare),
        "ratio_to_bare_chain": ours / yardstick,
        "payload_bytes": sizes,
        "platform": platform,
        "bare": bare,
    });
    write(
        "saturation",
        &settings(options, &UNLIMITED_SENDERS, json!({})),
        &results,
    )?;
    Ok(ours)
}

/// One window of the platform, and how large its messages were.
async fn platform_run(options: Options) -> Result<(Run, Sizes), String> {
    let conversations = options.everybody();
    let world = World::platform(options.active, Behaviour::default()).await;
    let load = world.driver.closed_loop(&conversations, Duration::ZERO);
    let measured = during(load, async {
        world.warm_up(&conversations).await;
        let sizes = world.sizes(&conversations).await;
        (world.measure_all(options.duration).await, sizes)
    })
    .await;
    world.settle().await?;
    Ok(measured)
}

async fn bare_run(options: Options, sizes: Sizes) -> Result<Run, String> {
    let world = World::bare(options.active, sizes).await;
    let run = world.saturate(&options.everybody(), options.duration).await;
    world.settle().await?;
    Ok(run)
}
