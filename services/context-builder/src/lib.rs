//! Decides, on every event that may change what comes next, what is due in a conversation *now*.
//!
//! Level-triggered: it keeps no state that matters, so any replica may handle any event, twice, late or out of
//! order. The rule is `domain::decide`; this crate reads, publishes, and knows when an event may be let go of.

mod config;
mod metrics;
mod policy;
mod reading;
mod stage;

use std::sync::Arc;

use proto_schemas::dead_letter::Stage;
use proto_schemas::topology::{CONTEXT_EVENTS, ConsumerSpec, INBOX_EVENTS};
use runtime::metrics::StageMetrics;
use runtime::runner::Runner;
use runtime::{Process, Service, StartError, lag};

pub use config::Config;
use metrics::BuilderMetrics;
use stage::{Builder, ContextEvents, InboxEvents};

/// The service.
pub struct ContextBuilder;

impl Service for ContextBuilder {
    const NAME: &'static str = Stage::ContextBuilder.as_str();
    const ABOUT: &'static str = "decides what is due in a conversation and builds the turn";
    type Config = Config;

    async fn start(config: Config, process: Process) -> Result<(), StartError> {
        let metrics = StageMetrics::new(&process.metrics)?;
        lag::watch(&process, &[INBOX_EVENTS, CONTEXT_EVENTS])?;
        let builder = Arc::new(Builder {
            bus: process.bus.clone(),
            registry: process.registry.clone(),
            metrics: BuilderMetrics::new(&process.metrics)?,
        });
        let inbox = Arc::new(InboxEvents {
            builder: Arc::clone(&builder),
        });
        let contexts = Arc::new(ContextEvents { builder });
        let concurrency = config.concurrency;
        process.tasks.critical(
            "inbox",
            runner(&process, &metrics, inbox, INBOX_EVENTS, concurrency).run(),
        );
        process.tasks.critical(
            "contexts",
            runner(&process, &metrics, contexts, CONTEXT_EVENTS, concurrency).run(),
        );
        Ok(())
    }
}

fn runner<S>(
    process: &Process,
    metrics: &StageMetrics,
    stage: Arc<S>,
    consumer: ConsumerSpec,
    concurrency: usize,
) -> Runner<S> {
    Runner {
        stage,
        name: Stage::ContextBuilder,
        consumer,
        concurrency,
        bus: process.bus.clone(),
        metrics: metrics.clone(),
        pulse: process.health.pulse(consumer.stream),
        shutdown: process.tasks.shutdown().clone(),
    }
}
