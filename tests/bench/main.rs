//! Benchmarks of the whole, as operators run it: nats-server and one process of each service, driven from outside.
//!
//! Nothing is asserted about time. A reply that is wrong or missing fails the run.

mod bare;
mod broker;
mod chain;
mod cpu;
mod door;
mod driver;
mod fakes;
mod http;
mod latency;
mod ledger;
mod pipeline;
mod platforms;
mod preload;
mod replicas;
mod report;
mod run;
mod scenarios;
mod sizes;
mod token;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::scenarios::{Options, Scenario};

#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure.
    #[arg(long, value_enum, default_value = "main")]
    scenario: Scenario,
    /// Length of a measured window, in seconds.
    #[arg(long, default_value_t = 10.0)]
    duration: f64,
    /// Active conversations.
    #[arg(long, default_value_t = 1000)]
    active: usize,
    /// Runs of each kind; the median counts.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Messages per second of `latency`, instead of half of saturation, and of `channels`.
    #[arg(long)]
    rate: Option<f64>,
    /// Conversations that exist already when `scale` begins.
    #[arg(long, default_value_t = 100_000)]
    conversations: usize,
    /// This process is a stage of the bare chain: its orders.
    #[arg(long, hide = true)]
    bare: Option<String>,
    /// Passed by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Refused when there is a provider already, and then all is well.
    drop(rustls::crypto::ring::default_provider().install_default());
    if let Some(orders) = &arguments.bare {
        let orders = serde_json::from_str(orders).expect("the orders are from this executable");
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(bare::run(orders));
        return ExitCode::SUCCESS;
    }
    let options = Options {
        duration: Duration::from_secs_f64(arguments.duration),
        active: arguments.active,
        runs: arguments.runs,
        rate: arguments.rate,
        conversations: arguments.conversations,
    };
    // One thread for the driver and the fakes: they share the cores with what they measure.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match LocalSet::new().block_on(&runtime, scenarios::run(arguments.scenario, options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            report::say(&fault);
            ExitCode::FAILURE
        }
    }
}
