//! Sends the parts of a reply to their chat, in order, and writes the transcript when all are sent.
//!
//! The delivery's slot keeps the next reply of the conversation back until this one is settled.

mod config;
mod connection;
mod files;
mod limits;
mod metrics;
mod once;
mod pace;
mod receipt;
mod stage;
mod typing;

use std::sync::Arc;

use channels::Accounts;
use proto_schemas::dead_letter::Stage;
use proto_schemas::subjects::TYPING;
use proto_schemas::topology::DELIVERY_WORK;
use runtime::limit::Limits;
use runtime::metrics::StageMetrics;
use runtime::runner::Runner;
use runtime::{Process, Service, StartError, lag, leftovers};

pub use config::Config;
use connection::{Connections, Line};
use metrics::EgressMetrics;
use stage::Sender;
use typing::Shower;

/// The service.
pub struct Egress;

impl Service for Egress {
    const NAME: &'static str = Stage::Egress.as_str();
    const ABOUT: &'static str = "sends replies to their chats, in order, and writes the transcript";
    type Config = Config;

    async fn start(config: Config, process: Process) -> Result<(), StartError> {
        let metrics = Arc::new(EgressMetrics::new(&process.metrics)?);
        let client = config.outgoing.client()?;
        let line = Line {
            client: client.clone(),
            metrics: Arc::clone(&metrics),
            spans: process.bus.spans().clone(),
        };
        let limits = Arc::new(Limits::new(process.bus.clone(), &process.metrics)?);
        let connections = Connections::new(line, limits, process.tasks.clone());
        let sender = Arc::new(Sender {
            bus: process.bus.clone(),
            store: config.files.open(process.bus.clone())?,
            registry: process.registry.clone(),
            accounts: Accounts::default(),
            links: config.links.open()?,
            connections,
            budget: config.budget,
        });
        let runner = Runner {
            stage: Arc::clone(&sender),
            name: Stage::Egress,
            consumer: DELIVERY_WORK,
            concurrency: config.concurrency,
            bus: process.bus.clone(),
            metrics: StageMetrics::new(&process.metrics)?.expect(stage::CLASSES),
            pulse: process.health.pulse(DELIVERY_WORK.stream),
            shutdown: process.tasks.shutdown().clone(),
        };
        process.tasks.critical("deliveries", runner.run());
        let hints = process.bus.hints(TYPING, Self::NAME).await?;
        let shower = Shower {
            sender: Arc::clone(&sender),
            client,
            metrics,
        };
        process.tasks.endless("typing", shower.run(hints));
        leftovers::watch(&process, sender, DELIVERY_WORK)?;
        lag::watch(&process, &[DELIVERY_WORK])?;
        Ok(())
    }
}
