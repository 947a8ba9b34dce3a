//! What the platform adds to the backend's time: open loop, at a rate that leaves it idle and at half of saturation.

use serde_json::json;

use super::saturation::platform_run;
use super::{Options, World, settings};
use crate::fakes::Behaviour;
use crate::report::{say, say_head, say_run, write};
use crate::run::{Run, Window, during, settle};

/// A rate that leaves two cores idle, per second.
const QUIET_RATE: f64 = 50.0;

/// Measures, prints, writes. Without a rate half of saturation is found first.
pub(super) async fn run(options: Options, half: Option<f64>) -> Result<(), String> {
    let half = match half {
        Some(half) => half,
        None => {
            platform_run(options, Behaviour::default())
                .await?
                .0
                .turns_per_second
                / 2.0
        }
    };
    say_head(&format!(
        "latency: open loop, {} conversations, instant webhook",
        options.outstanding
    ));
    let mut runs = Vec::new();
    for rate in [QUIET_RATE, half] {
        say(&format!("  at {rate:.0} messages/s"));
        let run = at(rate, options).await?;
        say_run(&run);
        runs.push(json!({ "messages_per_second": rate, "run": run }));
    }
    write("latency", settings(options), runs).map_err(|error| error.to_string())
}

/// One window at a fixed rate, after a warm-up in a closed loop that fills the contexts.
async fn at(rate: f64, options: Options) -> Result<Run, String> {
    let world = World::platform(options.outstanding, Behaviour::default()).await;
    let warmed = world.driver.closed_loop(options.outstanding);
    tokio::select! {
        _ = warmed => unreachable!("a load has no end"),
        () = world.warm_up(options.outstanding) => {}
    }
    settle(&world.chain, &world.driver, &world.ledger).await?;
    let load = world.driver.open_loop(0, options.outstanding, rate);
    let run = during(load, async {
        tokio::time::sleep(super::WARM_UP).await;
        let window = Window::open(&world.chain, &world.ledger);
        tokio::time::sleep(options.duration).await;
        window.close("platform", &world.ledger)
    })
    .await;
    settle(&world.chain, &world.driver, &world.ledger).await?;
    Ok(run)
}
