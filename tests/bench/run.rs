//! One measured run of one chain: warm up, open the window, close it, let every message have its reply.

use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::chain::Chain;
use crate::cpu::{Usage, Watched, usage};
use crate::driver::Driver;
use crate::ledger::Ledger;

/// How long every message that was accepted may wait for its reply when the load has ended.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
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
    /// Length of the window.
    pub(crate) seconds: f64,
    pub(crate) turns_per_second: f64,
    /// Reply received − message sent − backend time.
    pub(crate) added_latency_ms: Latency,
    /// CPU seconds per 1,000 turns of all processes of the chain, with the broker, without the driver.
    pub(crate) cpu_seconds_per_1000_turns: f64,
    pub(crate) processes: Vec<ProcessUse>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// What a process used in the window.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ProcessUse {
    pub(crate) name: String,
    pub(crate) cpu_seconds_per_1000_turns: f64,
    pub(crate) rss_mib: f64,
    pub(crate) peak_rss_mib: f64,
}

/// A window that is open.
pub(crate) struct Window {
    watched: Vec<Watched>,
    before: Vec<Usage>,
    began: Instant,
}

impl Window {
    /// From now on latencies are kept and processes are watched.
    pub(crate) fn open(chain: &Chain, ledger: &Ledger) -> Self {
        let mut watched = chain.processes.clone();
        watched.push(Watched {
            name: DRIVER.to_owned(),
            pid: std::process::id(),
        });
        ledger.open_window();
        Self {
            before: watched.iter().map(|process| usage(process.pid)).collect(),
            watched,
            began: Instant::now(),
        }
    }

    /// What happened since.
    pub(crate) fn close(self, chain: &'static str, ledger: &Ledger) -> Run {
        let seconds = self.began.elapsed().as_secs_f64();
        let latencies = ledger.close_window();
        let turns = latencies.len();
        let thousands = turns as f64 / 1000.0;
        let used = |(process, before): (&Watched, &Usage)| {
            let now = usage(process.pid);
            ProcessUse {
                name: process.name.clone(),
                cpu_seconds_per_1000_turns: (now.cpu_seconds - before.cpu_seconds) / thousands,
                rss_mib: now.rss_bytes as f64 / MIB,
                peak_rss_mib: now.peak_rss_bytes as f64 / MIB,
            }
        };
        let processes: Vec<ProcessUse> = self.watched.iter().zip(&self.before).map(used).collect();
        let of_chain = processes.iter().filter(|process| process.name != DRIVER);
        Run {
            chain,
            turns,
            seconds,
            turns_per_second: turns as f64 / seconds,
            added_latency_ms: Latency::of(latencies),
            cpu_seconds_per_1000_turns: of_chain.map(|process| process.cpu_seconds_per_1000_turns).sum(),
            processes,
        }
    }
}

impl Latency {
    /// Percentiles, each the smallest value that so many lie at or below.
    pub(crate) fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        let at = |share: f64| {
            let rank = (latencies.len() as f64 * share).ceil() as usize;
            let found = latencies.get(rank.saturating_sub(1));
            found.map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
        };
        Self {
            p50: at(0.50),
            p90: at(0.90),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

/// Lets `load` go on until the conversations are warm.
pub(crate) async fn during<T>(load: impl Future<Output = T>, measured: impl Future<Output = Run>) -> Run {
    tokio::pin!(load);
    tokio::select! {
        _ = &mut load => unreachable!("a load has no end"),
        run = measured => run,
    }
}

/// Waits until everything has its reply, and fails when something has not.
///
/// # Errors
/// What is wrong or missing, in words.
pub(crate) async fn settle(chain: &Chain, driver: &Driver, ledger: &Rc<Ledger>) -> Result<(), String> {
    let missing = ledger.settle(PATIENCE).await;
    let (count, faults) = ledger.faults();
    if missing == 0 && count == 0 {
        return Ok(());
    }
    let names: Vec<&str> = chain
        .processes
        .iter()
        .map(|process| process.name.as_str())
        .collect();
    Err(format!(
        "{missing} replies are missing and {count} things were wrong with {}: {faults:?} ({:?})",
        names.join(", "),
        driver.answers()
    ))
}
