//! What is seen of a chain between two moments: replies, their latencies, and what each process used.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::broker::Traffic;
use crate::cpu::{Usage, Watched, usage, whole_machine};
use crate::latency::Latency;
use crate::world::World;

/// Name of the process of the driver and the fakes.
pub(crate) const DRIVER: &str = "driver and fakes";

const MIB: f64 = 1024.0 * 1024.0;

/// What a window showed.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    /// Which chain: `platform` or `bare`.
    pub(crate) chain: &'static str,
    /// Replies in the window.
    pub(crate) turns: usize,
    /// Length of the window. Much more than planned when the machine stood still.
    pub(crate) seconds: f64,
    pub(crate) planned_seconds: f64,
    pub(crate) turns_per_second: f64,
    /// Reply received − message sent − backend time.
    pub(crate) added_latency_ms: Latency,
    /// Replies so far that nobody waited for: they came again, or their message was refused.
    pub(crate) surplus_replies: usize,
    /// CPU seconds per 1,000 turns of all processes of the chain, with the broker, without the driver.
    pub(crate) cpu_seconds_per_1000_turns: f64,
    /// What went through the broker for a turn: a cost that no other load on the machine disturbs.
    pub(crate) broker_per_turn: BrokerUse,
    /// By how much each consumer's backlog grew in the window: work of these turns whose CPU time is not in it.
    pub(crate) backlog_growth: BTreeMap<String, i64>,
    pub(crate) processes: Vec<ProcessUse>,
    /// Cores that were busy in the window with something else: what disturbs the measurement.
    pub(crate) cores_busy_elsewhere: f64,
}

/// What went through the broker for a turn.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct BrokerUse {
    pub(crate) messages_in: f64,
    pub(crate) messages_out: f64,
    pub(crate) kib_in: f64,
    pub(crate) kib_out: f64,
}

/// What a process used in the window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProcessUse {
    pub(crate) name: String,
    pub(crate) cpu_seconds: f64,
    pub(crate) cpu_seconds_per_1000_turns: f64,
    pub(crate) rss_mib: f64,
    pub(crate) peak_rss_mib: f64,
}

/// A window that is open.
pub(crate) struct Window {
    watched: Vec<Watched>,
    backlog: BTreeMap<String, i64>,
    before: Vec<Usage>,
    machine: f64,
    traffic: Traffic,
    began: Instant,
}

impl Window {
    /// From now on processes are watched, and the latencies of some conversations kept.
    pub(crate) async fn open(world: &World, of: Range<usize>) -> Self {
        let mut watched = world.chain.processes.clone();
        watched.push(Watched::new("nats-server", world.broker.server.pid()));
        watched.push(Watched::new(DRIVER, std::process::id()));
        let backlog = world.backlog().await;
        let traffic = world.broker.traffic().await;
        world.ledger.open_window(of);
        Self {
            backlog,
            before: watched.iter().map(|process| usage(process.pid)).collect(),
            watched,
            machine: whole_machine(),
            traffic,
            began: Instant::now(),
        }
    }

    /// What happened since.
    pub(crate) async fn close(self, world: &World, planned: Duration) -> Run {
        let seconds = self.began.elapsed().as_secs_f64();
        let machine = whole_machine() - self.machine;
        let latencies = world.ledger.close_window();
        let turns = latencies.len();
        let used = self.watched.iter().zip(&self.before);
        let processes: Vec<ProcessUse> = used
            .map(|(process, before)| ProcessUse::since(before, process, turns))
            .collect();
        let traffic = world.broker.traffic().await - self.traffic;
        let now = world.backlog().await;
        let ours: f64 = processes.iter().map(|process| process.cpu_seconds).sum();
        let of_chain = processes.iter().filter(|process| process.name != DRIVER);
        Run {
            chain: world.chain.name,
            turns,
            seconds,
            planned_seconds: planned.as_secs_f64(),
            turns_per_second: turns as f64 / seconds,
            added_latency_ms: Latency::of(latencies),
            surplus_replies: world.ledger.surplus(),
            cpu_seconds_per_1000_turns: of_chain.map(|process| process.cpu_seconds_per_1000_turns).sum(),
            broker_per_turn: BrokerUse::of(traffic, turns),
            backlog_growth: self
                .backlog
                .into_iter()
                .map(|(consumer, before)| {
                    let growth = now.get(&consumer).map_or(0, |now| now - before);
                    (consumer, growth)
                })
                .collect(),
            cores_busy_elsewhere: (machine - ours).max(0.0) / seconds,
            processes,
        }
    }
}

impl BrokerUse {
    fn of(traffic: Traffic, turns: usize) -> Self {
        let turns = turns as f64;
        Self {
            messages_in: traffic.messages_in / turns,
            messages_out: traffic.messages_out / turns,
            kib_in: traffic.bytes_in / turns / 1024.0,
            kib_out: traffic.bytes_out / turns / 1024.0,
        }
    }
}

impl ProcessUse {
    fn since(before: &Usage, process: &Watched, turns: usize) -> Self {
        let now = usage(process.pid);
        let cpu_seconds = now.cpu_seconds - before.cpu_seconds;
        Self {
            name: process.name.clone(),
            cpu_seconds,
            cpu_seconds_per_1000_turns: cpu_seconds / (turns as f64 / 1000.0),
            rss_mib: now.rss_bytes as f64 / MIB,
            peak_rss_mib: now.peak_rss_bytes as f64 / MIB,
        }
    }
}
