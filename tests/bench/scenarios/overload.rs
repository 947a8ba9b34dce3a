//! Ten times what can be sustained: what is refused and how soon, what it takes, whether all that was accepted is
//! answered, and how long it is felt afterwards. Once with the limits on senders as they are by default, once
//! without them.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Options, settings};
use crate::broker::Broker;
use crate::driver::{MOST_PUSHES, Refused};
use crate::fakes::Behaviour;
use crate::latency::Latency;
use crate::pipeline::{Settings, UNLIMITED_SENDERS};
use crate::report::{say, say_head, say_run, write};
use crate::world::{Outside, World, during};

/// How much more is offered than can be sustained.
const TIMES: f64 = 10.0;
/// How long, in windows: a minute by default.
const WINDOWS: u32 = 6;
/// The conversations that send too much.
const LOUD: std::ops::Range<usize> = 0..10_000;
/// The conversations that are looked at before and afterwards.
const QUIET: std::ops::Range<usize> = 10_000..11_000;
/// Their messages per second.
const QUIET_RATE: f64 = 50.0;
/// How long they are looked at afterwards, second by second.
const SECONDS_AFTER: usize = 20;
/// Latency counts as normal below so many times its p99 before.
const NORMAL: f64 = 2.0;

/// Measures, prints, writes.
pub(super) async fn run(options: Options) -> Result<(), String> {
    say_head("overload: the rate that can be sustained");
    let world = World::platform(options.active, Behaviour::default()).await;
    let sustained = world.saturate(&options.everybody(), options.duration).await;
    world.settle().await?;
    drop(world);
    say_run(&sustained);
    let offered = sustained.turns_per_second * TIMES;
    let mut results = Vec::new();
    for (limits, services) in [("default", &[][..]), ("none", &UNLIMITED_SENDERS)] {
        say(&format!(
            "\n  {offered:.0} messages/s, limits on senders: {limits}"
        ));
        results.push(
            json!({ "limits_on_senders": limits, "seen": overload(options, offered, services).await? }),
        );
    }
    let facts = json!({ "offered_per_second": offered, "most_pushes_waiting": MOST_PUSHES });
    write("overload", &settings(options, &[], facts), &results)
}

async fn overload(options: Options, offered: f64, services: Settings<'_>) -> Result<Value, String> {
    let outside = Outside::new(QUIET.end, Behaviour::default()).await;
    let world = World::platform_on(Broker::start().await, outside, services).await;
    let quiet = || world.driver.open_loop(QUIET, QUIET_RATE, Refused::SendAgain);
    let before = during(quiet(), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.measure(options.duration, QUIET).await
    })
    .await;
    say("  before, at 50 messages/s");
    say_run(&before);
    world.settle().await?;
    drop(world.driver.refusals());

    let loud = world.driver.open_loop(LOUD, offered, Refused::Forget);
    let overloaded = during(loud, world.measure(options.duration * WINDOWS, LOUD)).await;
    let (answers, refusals) = (world.driver.answers(), Latency::of(world.driver.refusals()));
    say("  overloaded");
    say_run(&overloaded);
    say(&format!(
        "            {answers:?}\n            refused within {:.1} ms (p50), {:.1} ms (p99)",
        refusals.p50, refusals.p99
    ));

    let after = during(quiet(), second_by_second(&world)).await;
    let normal_after = seconds_until_normal(&after, before.added_latency_ms.p99 * NORMAL);
    let told = normal_after.map_or_else(|| "not".to_owned(), |seconds| format!("after {seconds} s"));
    let shown = |show: fn(&Second) -> String| after.iter().map(show).collect::<Vec<_>>().join(" ");
    say(&format!(
        "            second by second afterwards: p99 in ms {}\n            accepted before the end and unanswered: {}",
        shown(|second| format!("{:.0}", second.added_latency_ms.p99)),
        shown(|second| second.unanswered.to_string())
    ));
    world.settle().await?;
    say(&format!(
        "            back to normal: {told}; all {} accepted messages were answered",
        answers.accepted
    ));
    Ok(json!({
        "before": before,
        "overloaded": overloaded,
        "answers_of_ingress": answers,
        "refusal_ms": refusals,
        "by_second_afterwards": after,
        "normal_after_seconds": normal_after,
    }))
}

/// A second after the end of the overload.
#[derive(Serialize)]
struct Second {
    /// Of the quiet conversations.
    added_latency_ms: Latency,
    /// Messages of the loud ones that still wait at its end.
    unanswered: usize,
}

async fn second_by_second(world: &World) -> Vec<Second> {
    let mut seconds = Vec::new();
    for _ in 0..SECONDS_AFTER {
        let run = world.measure(Duration::from_secs(1), QUIET).await;
        seconds.push(Second {
            added_latency_ms: run.added_latency_ms,
            unanswered: world.ledger.waiting(LOUD),
        });
    }
    seconds
}

/// The first second from which on all are normal; one without a reply is not.
fn seconds_until_normal(seconds: &[Second], limit: f64) -> Option<usize> {
    let is_normal =
        |second: &Second| second.added_latency_ms.max > 0.0 && second.added_latency_ms.p99 <= limit;
    let abnormal = seconds.iter().rposition(|second| !is_normal(second));
    let first = abnormal.map_or(0, |last| last + 1);
    (first < seconds.len()).then_some(first)
}
