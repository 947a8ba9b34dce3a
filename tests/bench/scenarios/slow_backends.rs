//! 20,000 turns of 30 s under way through one webhook-caller, and a second integration whose backend is fast: what
//! they need, and whether the fast one notices.

use std::time::Duration;

use serde_json::json;

use super::{Options, settings};
use crate::broker::Broker;
use crate::driver::Refused;
use crate::fakes::{Behaviour, Fake};
use crate::pipeline::{Bot, UNLIMITED_SENDERS};
use crate::report::{say, say_head, say_run, write};
use crate::run::Run;
use crate::world::{Outside, World, during};

/// Turns under way at slow backends, if the system lets a process have as many sockets.
const SLOW_TURNS: usize = 20_000;
/// Sockets that a process needs besides.
const OTHER_SOCKETS: usize = 1000;
/// How long a slow backend takes.
const SLOW: Duration = Duration::from_secs(30);
/// Bots that share the slow turns: an integration may have a 32nd of webhook-caller's places in flight.
const SLOW_BOTS: usize = 32;
/// Conversations of the fast bot, behind all slow ones.
const FAST: std::ops::Range<usize> = SLOW_TURNS..SLOW_TURNS + 1000;
/// Messages per second to the fast bot.
const FAST_RATE: f64 = 50.0;
/// webhook-caller's places: its default is exactly the slow turns, and the fast ones need some too.
const PLACES: (&str, &str) = ("webhook-caller/CONCURRENCY", "24000");
/// How long the slow turns may take to be all under way.
const LONGEST_RAMP: Duration = Duration::from_secs(120);

/// Measures, prints, writes.
pub(super) async fn run(options: Options) -> Result<(), String> {
    let turns = SLOW_TURNS.min(open_files() - OTHER_SOCKETS);
    say_head(&format!(
        "slow-backends: {turns} turns of {} s under way, and {FAST_RATE} messages/s to a fast webhook",
        SLOW.as_secs()
    ));
    let services: Vec<_> = UNLIMITED_SENDERS.into_iter().chain([PLACES]).collect();
    let slow_backend = Fake::backend(Behaviour {
        delay: SLOW,
        ..Behaviour::default()
    })
    .await;
    let outside = Outside::new(FAST.end, Behaviour::default()).await;
    let mut bots = vec![slow_bot(&slow_backend, turns); SLOW_BOTS];
    bots.push(Bot::at(outside.backend.url()));
    let world = World::with_bots(Broker::start().await, outside, &bots, &services, bot_of).await;

    let fast_load = || world.driver.open_loop(FAST, FAST_RATE, Refused::SendAgain);
    let alone = during(fast_load(), measure(&world, options.duration)).await;
    say("  the fast one alone");
    say_run(&alone);
    world.settle().await?;
    let slow: Vec<usize> = (0..turns).collect();
    let slow_load = world.driver.closed_loop(&slow, SLOW);
    let (beside, under_way) = during(slow_load, async {
        wait_for(&slow_backend, turns).await;
        let before = slow_backend.in_flight();
        let run = during(fast_load(), measure(&world, options.duration.max(SLOW))).await;
        (run, before.min(slow_backend.in_flight()))
    })
    .await;
    say("  beside the slow ones");
    say_run(&beside);
    world.settle().await?;
    let ratio = beside.added_latency_ms.p99 / alone.added_latency_ms.p99;
    say(&format!(
        "\n  {under_way} slow turns under way; the fast webhook's p99 is {ratio:.2} times what it was"
    ));
    let results = json!({
        "slow_turns_wanted": SLOW_TURNS,
        "slow_turns_under_way": under_way,
        "fast_p99_ratio": ratio,
        "fast_alone": alone,
        "fast_beside_slow": beside,
    });
    let facts = json!({
        "bots": format!("{SLOW_BOTS} slow ones with a concurrency of {} each, and a fast one", turns / SLOW_BOTS),
        "most_open_files": open_files(),
    });
    write("slow-backends", &settings(options, &services, facts), &results)
}

fn bot_of(conversation: usize) -> usize {
    if conversation < FAST.start {
        conversation % SLOW_BOTS
    } else {
        SLOW_BOTS
    }
}

fn slow_bot(backend: &Fake, turns: usize) -> Bot {
    Bot {
        concurrency: Some(turns.div_ceil(SLOW_BOTS)),
        timeout: Some("90s"),
        ..Bot::at(backend.url())
    }
}

async fn measure(world: &World, duration: Duration) -> Run {
    // The first messages open connections.
    tokio::time::sleep(Duration::from_secs(2)).await;
    world.measure(duration, FAST).await
}

/// Waits until nearly all slow turns are under way: at any moment some are between two calls.
async fn wait_for(backend: &Fake, turns: usize) {
    let ramp = async {
        while backend.in_flight() < turns - turns / 50 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // What there is then is measured; the report says how many there were.
    drop(tokio::time::timeout(LONGEST_RAMP, ramp).await);
}

/// How many files and sockets a process may have open.
fn open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.unwrap_or(usize::MAX)
}
