//! What is measured. Each scenario starts its chains on fresh brokers, prints a table and writes JSON.

mod latency;
mod saturation;

use std::rc::Rc;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::bare::{self, Sizes};
use crate::chain::{Chain, start_broker};
use crate::driver::{Driver, MESSAGE_BYTES, Refused};
use crate::fakes::{Behaviour, Fake};
use crate::ledger::Ledger;
use crate::pipeline;

/// The shortest time for which a chain is driven before it is measured.
const WARM_UP: Duration = Duration::from_secs(3);
/// So many turns fill a context: from then on every turn is as large as the next.
const WARM_TURNS: u32 = 6;
/// A chain that is not warm by then is measured as it is.
const LONGEST_WARM_UP: Duration = Duration::from_secs(30);

/// Which scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// `saturation` and `latency`.
    Main,
    /// Closed loop, the platform and the bare chain in turns.
    Saturation,
    /// Open loop, at 50 messages a second and at half of saturation.
    Latency,
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// The length of a window.
    pub(crate) duration: Duration,
    /// Active conversations, each with a message under way in a closed loop.
    pub(crate) outstanding: usize,
    /// Runs of each chain.
    pub(crate) runs: usize,
    /// Turns per second of half saturation, if it is known; else it is measured.
    pub(crate) rate: Option<f64>,
}

/// Runs a scenario.
///
/// # Errors
/// What was wrong or missing, in words.
pub(crate) async fn run(scenario: Scenario, options: Options) -> Result<(), String> {
    match scenario {
        Scenario::Main => {
            let saturation = saturation::run(options).await?;
            latency::run(options, Some(saturation / 2.0)).await
        }
        Scenario::Saturation => saturation::run(options).await.map(drop),
        Scenario::Latency => latency::run(options, options.rate).await,
    }
}

/// A chain with everything outside of it.
pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) ledger: Rc<Ledger>,
    pub(crate) driver: Rc<Driver>,
    pub(crate) backend: Fake,
    pub(crate) receiver: Fake,
}

impl World {
    /// The platform on a fresh broker.
    pub(crate) async fn platform(conversations: usize, behaviour: Behaviour) -> Self {
        let ledger = Rc::new(Ledger::new(conversations, behaviour.delay));
        let (backend, receiver) = (
            Fake::backend(behaviour).await,
            Fake::receiver(Rc::clone(&ledger)).await,
        );
        let nats = Rc::new(start_broker().await);
        let chain = pipeline::start(nats, &backend.url(), &receiver.url(), &[]).await;
        Self::around(chain, ledger, backend, receiver)
    }

    /// The bare chain on a fresh broker.
    pub(crate) async fn bare(conversations: usize, behaviour: Behaviour, sizes: Sizes) -> Self {
        let ledger = Rc::new(Ledger::new(conversations, behaviour.delay));
        let (backend, receiver) = (
            Fake::backend(behaviour).await,
            Fake::receiver(Rc::clone(&ledger)).await,
        );
        let nats = Rc::new(start_broker().await);
        let chain = bare::start(nats, &backend.url(), &receiver.url(), sizes).await;
        Self::around(chain, ledger, backend, receiver)
    }

    fn around(chain: Chain, ledger: Rc<Ledger>, backend: Fake, receiver: Fake) -> Self {
        let driver = Driver::new(Rc::clone(&ledger), chain.door.clone(), Refused::SendAgain);
        Self {
            chain,
            ledger,
            driver,
            backend,
            receiver,
        }
    }

    /// Waits until the first conversations are warm, while something drives them.
    pub(crate) async fn warm_up(&self, conversations: usize) {
        tokio::time::sleep(WARM_UP).await;
        let warm = async {
            while self.ledger.fewest_turns(conversations) < WARM_TURNS {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        // Slow as it may be, it is measured; the report says how many turns there were.
        drop(tokio::time::timeout(LONGEST_WARM_UP, warm).await);
    }
}

/// What differs from the defaults, for the report.
fn settings(options: Options) -> Value {
    json!({
        "window_seconds": options.duration.as_secs_f64(),
        "active_conversations": options.outstanding,
        "message_bytes": MESSAGE_BYTES,
        "services": pipeline::SETTINGS.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        "bots": format!("{}, each with an integration and a connection of its own, all else default", pipeline::BOTS),
    })
}
