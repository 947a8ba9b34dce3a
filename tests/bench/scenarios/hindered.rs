//! Does a backend that is slow or fails cost throughput? Closed loops against such a one and against an instant
//! one, in turns.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Options, settings};
use crate::fakes::Behaviour;
use crate::pipeline::UNLIMITED_SENDERS;
use crate::report::{median, say, say_head, say_run, write};
use crate::run::Run;
use crate::world::World;

/// How long the slow webhook takes.
const SLOW: Duration = Duration::from_millis(100);
/// Messages under way at the slow webhook's bots.
const SLOW_ACTIVE: usize = 2048;
/// Of a thousand first calls, so many fail.
const FAILURES_PER_THOUSAND: u32 = 50;

/// Webhooks of 100 ms, 2,048 messages under way.
pub(super) async fn slow_webhook(options: Options) -> Result<(), String> {
    let slow = Behaviour {
        delay: SLOW,
        ..Behaviour::default()
    };
    let facts = json!({ "webhook_ms": SLOW.as_millis(), "active_conversations_slow": SLOW_ACTIVE });
    compare("slow-webhook", options, slow, SLOW_ACTIVE, facts).await
}

/// One first call in twenty answered with 500; the turn comes again by the default schedule, after a second.
pub(super) async fn failing(options: Options) -> Result<(), String> {
    let failing = Behaviour {
        failures_per_thousand: FAILURES_PER_THOUSAND,
        ..Behaviour::default()
    };
    let facts = json!({ "first_calls_failing_per_thousand": FAILURES_PER_THOUSAND });
    compare("failing", options, failing, options.active, facts).await
}

async fn compare(
    scenario: &str,
    options: Options,
    behaviour: Behaviour,
    active: usize,
    facts: Value,
) -> Result<(), String> {
    say_head(&format!(
        "{scenario}: closed loop, {active} conversations, and {} with an instant webhook",
        options.active
    ));
    let (mut hindered, mut instant) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        say(&format!("  {scenario}"));
        hindered.push(window(active, behaviour, options).await?);
        say("  instant");
        instant.push(window(options.active, Behaviour::default(), options).await?);
    }
    let rate = |runs: &[Run]| median(runs.iter().map(|run| run.turns_per_second));
    let ratio = rate(&hindered) / rate(&instant);
    say(&format!(
        "\n  medians: {:.0} turns/s, instant {:.0}, ratio {ratio:.2}",
        rate(&hindered),
        rate(&instant)
    ));
    let results = json!({
        "turns_per_second": rate(&hindered),
        "instant_turns_per_second": rate(&instant),
        "ratio_to_instant": ratio,
        "runs": hindered,
        "instant_runs": instant,
    });
    write(scenario, &settings(options, &UNLIMITED_SENDERS, facts), &results)
}

async fn window(active: usize, behaviour: Behaviour, options: Options) -> Result<Run, String> {
    let world = World::platform(active, behaviour).await;
    let run = world
        .saturate(&(0..active).collect::<Vec<_>>(), options.duration)
        .await;
    world.settle().await?;
    say_run(&run);
    Ok(run)
}
