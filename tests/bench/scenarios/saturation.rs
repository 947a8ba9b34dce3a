//! As fast as it goes: every conversation sends its next message when the reply to the last one came. The platform
//! and the bare chain in turns, so that a machine that gets slower meanwhile is unfair to none.

use serde_json::json;

use super::{Options, World, settings};
use crate::bare::Sizes;
use crate::chain::connect;
use crate::fakes::Behaviour;
use crate::report::{median, say, say_head, say_run, write};
use crate::run::{Run, Window, during, settle};
use crate::sizes::sizes;

/// Measures, prints, writes; returns the platform's turns per second.
pub(super) async fn run(options: Options) -> Result<f64, String> {
    say_head(&format!(
        "saturation: closed loop, {} conversations, instant webhook",
        options.outstanding
    ));
    let (mut platform, mut bare, mut sizes) = (Vec::new(), Vec::new(), Sizes::default());
    for _ in 0..options.runs {
        let (run, seen) = platform_run(options, Behaviour::default()).await?;
        say_run(&run);
        platform.push(run);
        sizes = seen;
        let run = bare_run(options, sizes).await?;
        say_run(&run);
        bare.push(run);
    }
    let of = |runs: &[Run], value: fn(&Run) -> f64| median(runs.iter().map(value));
    let (ours, yardstick) = (
        of(&platform, |run| run.turns_per_second),
        of(&bare, |run| run.turns_per_second),
    );
    let cpu = |runs: &[Run]| of(runs, |run| run.cpu_seconds_per_1000_turns);
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
    say(&format!(
        "\n  medians: {ours:.0} turns/s, bare chain {yardstick:.0}, ratio_to_bare_chain {:.2}; CPU s per 1,000 turns \
         {:.3}, bare chain {:.3}",
        ours / yardstick,
        cpu(&platform),
        cpu(&bare)
    ));
    write("saturation", settings(options), results).map_err(|error| error.to_string())?;
    Ok(ours)
}

/// One window of the platform, and how large its messages were.
pub(super) async fn platform_run(options: Options, behaviour: Behaviour) -> Result<(Run, Sizes), String> {
    let world = World::platform(options.outstanding, behaviour).await;
    let bus = connect(&world.chain.nats).await;
    let mut seen = Sizes::default();
    let run = during(world.driver.closed_loop(options.outstanding), async {
        world.warm_up(options.outstanding).await;
        seen = sizes(&bus, options.outstanding, &world.backend, &world.receiver).await;
        window(&world, options, "platform").await
    })
    .await;
    settle(&world.chain, &world.driver, &world.ledger).await?;
    Ok((run, seen))
}

async fn bare_run(options: Options, sizes: Sizes) -> Result<Run, String> {
    let world = World::bare(options.outstanding, Behaviour::default(), sizes).await;
    let run = during(world.driver.closed_loop(options.outstanding), async {
        world.warm_up(options.outstanding).await;
        window(&world, options, "bare").await
    })
    .await;
    settle(&world.chain, &world.driver, &world.ledger).await?;
    Ok(run)
}

async fn window(world: &World, options: Options, chain: &'static str) -> Run {
    let window = Window::open(&world.chain, &world.ledger);
    tokio::time::sleep(options.duration).await;
    window.close(chain, &world.ledger)
}
