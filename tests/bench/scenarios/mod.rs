//! What is measured. Each scenario starts its chains on fresh brokers, prints a table and writes JSON.

mod channels;
mod hindered;
mod hung_backend;
mod latency;
mod limits;
mod overload;
mod saturation;
mod scale;
mod slow_backends;

use std::ops::Range;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::driver::{MESSAGE_BYTES, Refused};
use crate::pipeline::{BOTS, Settings};
use crate::report::say_run;
use crate::run::Run;
use crate::world::{World, during};

/// Which scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// `saturation`, `latency`, `slow-webhook`, `failing`.
    Main,
    /// Closed loop, the platform and the bare chain in turns.
    Saturation,
    /// Open loop, at 50 messages a second and at half of saturation.
    Latency,
    /// Closed loop with webhooks of 100 ms and 2,048 messages under way, and with instant ones, in turns.
    SlowWebhook,
    /// Closed loop with 5 % of first calls failing, and with none failing, in turns.
    Failing,
    /// Closed loop beside many conversations that exist, and beside none.
    Scale,
    /// 20,000 turns of 30 s under way, and a second integration with a fast backend.
    SlowBackends,
    /// An integration whose webhook never answers, and the p99 of another.
    HungBackend,
    /// The same load on each channel.
    Channels,
    /// An integration's rate with 1, 2 and 4 replicas of webhook-caller, killed, paused and added.
    Limits,
    /// Ten times the rate that can be sustained, for a minute.
    Overload,
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// The length of a window.
    pub(crate) duration: Duration,
    /// Active conversations.
    pub(crate) active: usize,
    /// Runs of each kind.
    pub(crate) runs: usize,
    /// Half of saturation, in messages per second, if it is known; else it is measured.
    pub(crate) rate: Option<f64>,
    /// Conversations that exist already, for `scale`.
    pub(crate) conversations: usize,
}

impl Options {
    /// The active conversations, when there are no others.
    fn everybody(self) -> Vec<usize> {
        (0..self.active).collect()
    }
}

/// Runs a scenario.
///
/// # Errors
/// What was wrong or missing, in words.
pub(crate) async fn run(scenario: Scenario, options: Options) -> Result<(), String> {
    match scenario {
        Scenario::Main => {
            let saturation = saturation::run(options).await?;
            latency::run(options, Some(saturation / 2.0)).await?;
            hindered::slow_webhook(options).await?;
            hindered::failing(options).await
        }
        Scenario::Saturation => saturation::run(options).await.map(drop),
        Scenario::Latency => latency::run(options, options.rate).await,
        Scenario::SlowWebhook => hindered::slow_webhook(options).await,
        Scenario::Failing => hindered::failing(options).await,
        Scenario::Scale => scale::run(options).await,
        Scenario::SlowBackends => slow_backends::run(options).await,
        Scenario::HungBackend => hung_backend::run(options).await,
        Scenario::Channels => channels::run(options).await,
        Scenario::Limits => limits::run(options).await,
        Scenario::Overload => overload::run(options).await,
    }
}

/// Sends so many messages a second to some conversations, and measures these.
async fn at_rate(world: &World, conversations: Range<usize>, rate: f64, window: Duration) -> Run {
    let load = world
        .driver
        .open_loop(conversations.clone(), rate, Refused::SendAgain);
    let run = during(load, async {
        // The first messages open connections.
        tokio::time::sleep(Duration::from_secs(2)).await;
        world.measure(window, conversations).await
    })
    .await;
    say_run(&run);
    run
}

/// What a report says of how it was measured: above all, what differs from the defaults.
fn settings(options: Options, services: Settings<'_>, more: Value) -> Value {
    let services: Map<String, Value> = services
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    let mut settings = json!({
        "window_seconds": options.duration.as_secs_f64(),
        "active_conversations": options.active,
        "message_bytes": MESSAGE_BYTES,
        "services": services,
        "bots": format!("{BOTS}, each with an integration and a connection of its own"),
    });
    if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
        settings.extend(more);
    }
    settings
}
