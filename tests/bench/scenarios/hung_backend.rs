//! One integration whose webhook never answers, with more messages than it may have calls in flight, and another one:
//! does that one notice?

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::{Options, at_rate, settings};
use crate::broker::Broker;
use crate::fakes::{Behaviour, Fake};
use crate::pipeline::{Bot, UNLIMITED_SENDERS};
use crate::report::{median, say, say_head, write};
use crate::run::Run;
use crate::world::{Outside, World, during};

/// Conversations that wait for the webhook that never answers: many times what it may have in flight.
const HUNG: std::ops::Range<usize> = 0..2000;
/// Conversations of the other one.
const WELL: std::ops::Range<usize> = 2000..3000;
/// Messages per second to the other one.
const RATE: f64 = 50.0;
/// Calls that are in flight at the webhook that never answers, by the default of `limits.concurrency`.
const IN_FLIGHT: usize = 256;
/// How long it may think: longer than it is measured.
const TIMEOUT: &str = "10m";
/// How long all its places may take to be taken up.
const LONGEST_RAMP: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Seen {
    alone: Vec<Run>,
    beside_the_hung_one: Vec<Run>,
    p99_ratio_of_medians: f64,
    /// Calls in flight at the hung webhook while the other was measured, of each run.
    hung_calls_in_flight: Vec<usize>,
}

/// Measures, prints, writes.
pub(super) async fn run(options: Options) -> Result<(), String> {
    say_head(&format!(
        "hung-backend: {RATE} messages/s to a webhook, beside one that never answers {} messages",
        HUNG.len()
    ));
    let (mut alone, mut beside, mut in_flight) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let (world, hung) = world().await;
        say("  alone");
        alone.push(at_rate(&world, WELL, RATE, options.duration).await);
        say("  beside the hung one");
        let conversations: Vec<usize> = HUNG.collect();
        let load = world.driver.closed_loop(&conversations, Duration::ZERO);
        beside.push(
            during(load, async {
                wait_for(&hung).await;
                at_rate(&world, WELL, RATE, options.duration).await
            })
            .await,
        );
        in_flight.push(hung.in_flight());
        let (count, faults) = world.ledger.faults();
        if count > 0 {
            return Err(format!("{count} things were wrong: {faults:?}"));
        }
    }
    let p99 = |runs: &[Run]| median(runs.iter().map(|run| run.added_latency_ms.p99));
    let ratio = p99(&beside) / p99(&alone);
    say(&format!(
        "\n  medians of p99: alone {:.2} ms, beside the hung one {:.2} ms, ratio {ratio:.2}",
        p99(&alone),
        p99(&beside)
    ));
    let seen = Seen {
        alone,
        beside_the_hung_one: beside,
        p99_ratio_of_medians: ratio,
        hung_calls_in_flight: in_flight,
    };
    let facts = json!({ "messages_for_the_hung_webhook": HUNG.len() });
    write(
        "hung-backend",
        &settings(options, &UNLIMITED_SENDERS, facts),
        &seen,
    )
}

async fn world() -> (World, Fake) {
    let never = Behaviour {
        delay: Duration::from_secs(3600),
        ..Behaviour::default()
    };
    let hung = Fake::backend(never).await;
    let outside = Outside::new(WELL.end, Behaviour::default()).await;
    let bots = [
        Bot {
            timeout: Some(TIMEOUT),
            ..Bot::at(hung.url())
        },
        Bot::at(outside.backend.url()),
    ];
    let bot_of = |conversation| usize::from(conversation >= WELL.start);
    let broker = Broker::start().await;
    let world = World::with_bots(broker, outside, &bots, &UNLIMITED_SENDERS, bot_of).await;
    (world, hung)
}

async fn wait_for(hung: &Fake) {
    let ramp = async {
        while hung.in_flight() < IN_FLIGHT {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // What there is then is measured.
    drop(tokio::time::timeout(LONGEST_RAMP, ramp).await);
}
