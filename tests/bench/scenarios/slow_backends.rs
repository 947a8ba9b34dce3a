//! 20,000 turns of 30 s under way through one webhook-caller, and a second integration whose backend is fast: what
//! they need, and whether the fast one notices.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::{Options, at_rate, settings};
use crate::broker::Broker;
use crate::driver::Refused;
use crate::fakes::{Behaviour, Fake};
use crate::pipeline::{Bot, Settings, UNLIMITED_SENDERS};
use crate::report::{say, say_head, write};
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

/// What the fast webhook's conversations saw.
#[derive(Serialize)]
struct Seen {
    /// With nothing beside them.
    fast_alone: Run,
    /// Beside as many turns per second as the slow backends answer, of backends that answer at once: what the
    /// load costs however long a call lasts.
    fast_beside_instant: Run,
    /// Beside the slow ones.
    fast_beside_slow: Run,
    slow_turns_wanted: usize,
    /// The fewest that were under way while the last was measured.
    slow_turns_under_way: usize,
}

/// Measures, prints, writes.
pub(super) async fn run(options: Options) -> Result<(), String> {
    let turns = SLOW_TURNS.min(open_files() - OTHER_SOCKETS);
    say_head(&format!(
        "slow-backends: {turns} turns of {} s under way, and {FAST_RATE} messages/s to a fast webhook",
        SLOW.as_secs()
    ));
    let window = options.duration.max(SLOW);
    let services: Vec<_> = UNLIMITED_SENDERS.into_iter().chain([PLACES]).collect();

    let (world, _instant_backend) = world(Behaviour::default(), turns, &services).await;
    say("  the fast one alone");
    let fast_alone = fast(&world, window).await;
    world.settle().await?;
    let rate = turns as f64 / SLOW.as_secs_f64();
    say(&format!(
        "  beside {rate:.0} turns/s of others that are fast, too"
    ));
    let load = world.driver.open_loop(0..turns, rate, Refused::SendAgain);
    let fast_beside_instant = during(load, fast(&world, window)).await;
    world.settle().await?;
    drop(world);

    let slow = Behaviour {
        delay: SLOW,
        ..Behaviour::default()
    };
    let (world, slow_backend) = self::world(slow, turns, &services).await;
    say("  beside the slow ones");
    let slow: Vec<usize> = (0..turns).collect();
    let load = world.driver.closed_loop(&slow, SLOW);
    let (fast_beside_slow, slow_turns_under_way) = during(load, async {
        wait_for(&slow_backend, turns).await;
        let before = slow_backend.in_flight();
        let run = fast(&world, window).await;
        (run, before.min(slow_backend.in_flight()))
    })
    .await;
    world.settle().await?;

    let seen = Seen {
        fast_alone,
        fast_beside_instant,
        fast_beside_slow,
        slow_turns_wanted: SLOW_TURNS,
        slow_turns_under_way,
    };
    let p99 = |run: &Run| run.added_latency_ms.p99;
    say(&format!(
        "\n  {slow_turns_under_way} slow turns under way; the fast webhook's p99 is {:.2} times that alone, {:.2} \
         times that beside fast ones",
        p99(&seen.fast_beside_slow) / p99(&seen.fast_alone),
        p99(&seen.fast_beside_slow) / p99(&seen.fast_beside_instant),
    ));
    let facts = json!({
        "bots": format!("{SLOW_BOTS} slow ones with a concurrency of {} each, and a fast one", turns / SLOW_BOTS),
        "most_open_files": open_files(),
    });
    write("slow-backends", &settings(options, &services, facts), &seen)
}

/// The platform with the fast bot, and the others at a backend of their own that behaves so.
async fn world(others: Behaviour, turns: usize, services: Settings<'_>) -> (World, Fake) {
    let backend = Fake::backend(others).await;
    let outside = Outside::new(FAST.end, Behaviour::default()).await;
    let mut bots = vec![slow_bot(&backend, turns); SLOW_BOTS];
    bots.push(Bot::at(outside.backend.url()));
    let world = World::with_bots(Broker::start().await, outside, &bots, services, bot_of).await;
    (world, backend)
}

/// Measures the fast bot's conversations.
async fn fast(world: &World, window: Duration) -> Run {
    at_rate(world, FAST, FAST_RATE, window).await
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
