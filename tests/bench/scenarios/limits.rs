//! The rate of one integration, with more turns than it allows: how much of it is used, by how much the worst window at
//! the webhook exceeds it, and what it costs at the broker. With several replicas of webhook-caller, whose clocks differ,
//! and with replicas that are killed, paused and added meanwhile.

use std::time::{Duration, Instant};

use bus::{Bus, Outgoing, TraceContext};
use proto_schemas::ids::{ConversationId, TurnId};
use proto_schemas::subjects;
use proto_schemas::turn::{Task, Turn};
use proto_schemas::wire::{Wire, decode};
use registry::Manifest;
use serde::Serialize;
use serde_json::json;

use super::{Options, settings};
use crate::broker::{Broker, create_topology};
use crate::fakes::{Behaviour, Fake};
use crate::replicas::{Replicas, SKEW};
use crate::report::{say, write};
use crate::token::Token;

/// Calls a second, at once after a pause, and in flight at one replica: so few that one replica cannot hold all turns.
const RATES: [Rate; 2] = [
    Rate {
        calls: 10,
        burst: 10,
        concurrency: 4,
    },
    Rate {
        calls: 500,
        burst: 500,
        concurrency: 256,
    },
];
/// How many replicas, and whether they are killed, paused and added.
const CASES: [(usize, bool); 5] = [(1, false), (2, false), (4, false), (2, true), (4, true)];
/// How long a replica is paused: longer than a slot of the rate lives.
const PAUSES: [Duration; 2] = [Duration::from_millis(1500), Duration::from_millis(400)];
/// The shortest window in which all of that has its place.
const SHORTEST: Duration = Duration::from_secs(20);
/// A turn like any other.
const SAMPLE: &str = include_str!("../../../proto-schemas/examples/turn.v1/minimal.json");
/// Its question, in whose place stands what the fake webhook answers.
const QUESTION: &str = "What do I owe?";
/// What is counted at the broker.
const OPERATIONS: [&str; 3] = ["write", "read", "conflict"];

/// How an integration is limited.
#[derive(Debug, Clone, Copy)]
struct Rate {
    calls: u32,
    burst: u32,
    concurrency: u32,
}

/// What a case showed.
#[derive(Debug, Serialize)]
struct Measured {
    calls_per_second: u32,
    burst: u32,
    replicas: usize,
    killed_paused_added: bool,
    calls: usize,
    /// From the first call to the last.
    part_of_the_rate_used: f64,
    /// The most by which the calls of any window exceed `rate * t`; `burst` and a lease are allowed.
    worst_excess: f64,
    lease_calls: u32,
    /// At the broker, for each call; not known of replicas that were killed.
    operations_per_call: Vec<(&'static str, f64)>,
}

/// Measures, prints, writes.
pub(super) async fn run(options: Options) -> Result<(), String> {
    let window = options.duration.max(SHORTEST);
    say("\nlimits: one integration, more turns than its rate allows");
    say("    rate  burst  replicas              used   worst window   allowed   broker operations per call");
    let (mut all, mut skewed) = (Vec::new(), true);
    for rate in RATES {
        for (replicas, disturbed) in CASES {
            let (measured, are_skewed) = case(rate, replicas, disturbed, window).await?;
            skewed &= are_skewed;
            tell(&measured);
            all.push(measured);
        }
    }
    let skew = if skewed { SKEW.as_millis() } else { 0 };
    let facts = json!({ "clocks_apart_ms": skew, "paused_ms": PAUSES.map(|pause| pause.as_millis()) });
    write("limits", &settings(options, &[], facts), &all)
}

fn tell(measured: &Measured) {
    let disturbed = if measured.killed_paused_added {
        "killed, paused, added"
    } else {
        ""
    };
    let operations: Vec<String> = measured
        .operations_per_call
        .iter()
        .map(|(operation, count)| format!("{operation} {count:.3}"))
        .collect();
    say(&format!(
        "  {:>6} {:>6} {:>9} {disturbed:<22} {:>5.1} % {:>8.2} over {:>6} + {:<2}   {}",
        measured.calls_per_second,
        measured.burst,
        measured.replicas,
        100.0 * measured.part_of_the_rate_used,
        measured.worst_excess,
        measured.burst,
        measured.lease_calls,
        operations.join(", ")
    ));
}

async fn case(
    rate: Rate,
    count: usize,
    disturbed: bool,
    window: Duration,
) -> Result<(Measured, bool), String> {
    let (broker, backend) = (Broker::start().await, Fake::recording(Behaviour::default()).await);
    let bus = broker.connect().await;
    create_topology(&bus).await;
    let token = Token {
        conversation: 0,
        number: 0,
    };
    let text = SAMPLE.replace(QUESTION, &token.to_string());
    let sample: Turn = decode(Some(Turn::TYPE), text.as_bytes()).map_err(|error| error.to_string())?;
    configure(&bus, &sample, &backend, rate).await?;
    let due = f64::from(rate.calls) * window.as_secs_f64();
    offer(&bus, &sample, (due * 1.5) as usize + rate.burst as usize).await?;

    let mut replicas = Replicas::start(broker.server.url(), count).await;
    if disturbed {
        disturb(&mut replicas, window).await;
    } else {
        tokio::time::sleep(window).await;
    }
    let arrivals = backend.arrivals();
    let mut operations_per_call = Vec::new();
    for operation in OPERATIONS {
        let series = format!(
            "chatbot_rate_limit_operations_total{{operation=\"{operation}\",service=\"webhook-caller\"}}"
        );
        operations_per_call.push((
            operation,
            replicas.sum(&series).await as f64 / arrivals.len() as f64,
        ));
    }
    let measured = Measured {
        calls_per_second: rate.calls,
        burst: rate.burst,
        replicas: count,
        killed_paused_added: disturbed,
        calls: arrivals.len(),
        part_of_the_rate_used: usage(&arrivals, rate.calls),
        worst_excess: worst_excess(&arrivals, rate.calls),
        lease_calls: (rate.calls / 10).max(1),
        operations_per_call,
    };
    Ok((measured, replicas.are_skewed()))
}

async fn configure(bus: &Bus, sample: &Turn, backend: &Fake, rate: Rate) -> Result<(), String> {
    let Task::Ask { integration, .. } = &sample.task else {
        return Err("the sample asks nobody".to_owned());
    };
    let manifest = json!({"integrations": [{"id": integration, "url": backend.url(),
        "limits": {"per_second": rate.calls, "burst": rate.burst, "concurrency": rate.concurrency}}]});
    let manifest: Manifest = serde_json::from_value(manifest).map_err(|error| error.to_string())?;
    manifest.store(bus).await.map_err(|error| error.to_string())
}

/// Puts so many turns into their slots, each of a conversation of its own.
async fn offer(bus: &Bus, sample: &Turn, count: usize) -> Result<(), String> {
    for number in 0..count {
        let turn = Turn {
            id: TurnId::new(format!("turn_{number}_m")).map_err(|error| error.to_string())?,
            conversation: ConversationId::new(format!("conv_{number}")).map_err(|error| error.to_string())?,
            context_revision: 0,
            ..sample.clone()
        };
        let message = Outgoing::new(
            subjects::turn(&turn.conversation),
            &turn,
            turn.id.as_str(),
            TraceContext::new(),
        );
        let published = bus.publish(message.map_err(|error| error.to_string())?).await;
        published.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A replica is paused, another killed, one added, that one paused, and the killed one started again.
async fn disturb(replicas: &mut Replicas, window: Duration) {
    let began = Instant::now();
    let until = |part: f64| tokio::time::sleep_until((began + window.mul_f64(part)).into());
    until(0.2).await;
    pause(replicas, 0, PAUSES[0]).await;
    until(0.4).await;
    if let Some(replica) = replicas.running.get(1) {
        replica.kill();
    }
    drop(replicas.running.remove(1));
    until(0.5).await;
    replicas.add().await;
    until(0.7).await;
    pause(replicas, replicas.running.len() - 1, PAUSES[1]).await;
    until(0.8).await;
    replicas.add().await;
    until(1.0).await;
}

async fn pause(replicas: &Replicas, number: usize, time: Duration) {
    replicas.running[number].pause().await;
    tokio::time::sleep(time).await;
    replicas.running[number].resume();
}

/// By how many calls the worst window has more than `rate * t`.
fn worst_excess(arrivals: &[Instant], rate: u32) -> f64 {
    let (mut worst, mut least) = (0.0_f64, f64::INFINITY);
    for (number, arrival) in arrivals.iter().enumerate() {
        // A window from the i-th call to the j-th has j - i + 1 calls in tj - ti.
        let above = number as f64 - f64::from(rate) * (*arrival - arrivals[0]).as_secs_f64();
        least = least.min(above);
        worst = worst.max(above + 1.0 - least);
    }
    worst
}

/// The part of the rate that was used from the first call to the last.
fn usage(arrivals: &[Instant], rate: u32) -> f64 {
    let (Some(first), Some(last)) = (arrivals.first(), arrivals.last()) else {
        return 0.0;
    };
    let due = f64::from(rate) * (*last - *first).as_secs_f64();
    (arrivals.len() - 1) as f64 / due
}
