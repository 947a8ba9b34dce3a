//! The promises under fault injection: the real binaries, two of each, a real nats-server behind a proxy, a
//! slow and flaky webhook, 200 conversations at once, and processes that are killed, frozen and cut off.
//!
//! A run is drawn from its seed: what the users write, how the webhook behaves, which faults happen when. The
//! same seed gives the same decisions; in which order the machine gets through them is its own affair, so a
//! run with the same seed is alike and not the same. What the users, the webhook and the chats saw is kept as
//! plain data (`history`), and `checker` judges it, knowing nothing of the services' code.
//!
//! `make faults DURATION=10m SEED=7 RATE=2` runs `promises_hold_under_faults`. `planted` shows that a broken
//! promise is found. The binaries must be built: `cargo build --workspace --bins`.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a panic is a test's report, in its helper functions too; the test reads its own settings, and its tasks end with it"
)]

mod backend;
mod checker;
mod history;
mod injector;
mod ledger;
mod plan;
mod planted;
mod report;
mod settings;
mod users;
mod world;

use std::time::Duration;

use plan::Planned;
use settings::Settings;
use users::Workload;
use world::{Setup, World};

/// Processes of each service.
const REPLICAS: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promises_hold_under_faults() {
    let settings = Settings::from_environment();
    let faults = plan::plan(settings.seed, settings.duration, settings.rate, REPLICAS);
    promises_hold(settings, &faults, Setup::flaky(settings.seed, REPLICAS)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promises_hold_while_every_process_is_replaced() {
    let settings = Settings::from_environment().for_as_long_as(Duration::from_secs(20));
    let update = plan::rolling_update(REPLICAS, Duration::from_secs(1));
    let setup = Setup::flaky(settings.seed, REPLICAS).in_containers();
    promises_hold(settings, &update, setup).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promises_hold_while_a_cluster_loses_one_node_after_the_other() {
    let settings = Settings::from_environment().for_as_long_as(Duration::from_secs(20));
    let losses = plan::lost_nodes(3, Duration::from_secs(2), Duration::from_secs(4));
    let setup = Setup::flaky(settings.seed, REPLICAS).on_a_cluster();
    promises_hold(settings, &losses, setup).await;
}

async fn promises_hold(settings: Settings, faults: &[Planned], setup: Setup) {
    report::beginning(&settings, faults.len());
    let world = World::start(setup).await;
    let workload = Workload::city(settings.seed, settings.duration);
    let run = world.run(faults, &workload).await;
    report::end(&settings, run);
}
