//! Takes what the chat platforms push and answers when it is durable.
//!
//! Guarantees:
//! - 2xx is answered only after the stream has confirmed the message, or after a dead letter holds it.
//! - Nothing is parsed, counted against a limit or stored before it is authentic.
//! - The same push is answered the same way each time and stored once.
//! - Overload is refused early, with the time after which another try makes sense.

mod backlog;
mod config;
mod conversation;
mod dead_letters;
mod error;
mod gateway;
mod limits;
mod metrics;
mod pressure;
mod recent;
mod stage;
mod web;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use channels::Accounts;
use proto_schemas::dead_letter::Stage;
use runtime::{Process, Service, StartError};

use backlog::Backlog;
pub use config::{Config, Rate};
use dead_letters::DeadLetters;
use gateway::Gateway;
use limits::Limiter;
use metrics::{IngressMetrics, IntakeMetrics};
use pressure::Pressure;
use recent::Recent;
use stage::Intake;
use web::Door;

/// How often idle limits and removed connections are let go of. A conversation costs about a hundred bytes
/// while it is remembered, so a minute of the busiest traffic is a few megabytes.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The service.
pub struct Ingress;

impl Service for Ingress {
    const NAME: &'static str = Stage::Ingress.as_str();
    const ABOUT: &'static str = "takes what the platforms push and answers when it is durable";
    type Config = Config;

    async fn start(config: Config, process: Process) -> Result<(), StartError> {
        let intake = Arc::new(Intake {
            bus: process.bus.clone(),
            files: config.files.open(process.bus.clone())?,
            registry: process.registry.clone(),
            accounts: Accounts::default(),
            connections: Limiter::new(config.connection_rate),
            conversations: Limiter::new(config.conversation_rate),
            backlog: Backlog::new(config.conversation_backlog),
            newest: Recent::default(),
            metrics: IntakeMetrics::new(&process.metrics)?,
        });
        let metrics = IngressMetrics::new(&process.metrics)?;
        let pressure = Arc::new(Pressure::default());
        let door = Door::new(
            Arc::clone(&intake),
            metrics,
            Arc::clone(&pressure),
            config.max_concurrent_requests,
        );
        let bound = runtime::web::bind(config.http_listen).await?;
        process.announce("http", bound.address)?;
        let gateway = Gateway::new(
            Arc::clone(&intake),
            Arc::clone(&pressure),
            config.gateway_lease,
            &process.metrics,
        )?;
        let shutdown = process.tasks.shutdown().clone();
        let watching = pressure::watch(pressure, process.bus.clone(), config.pipeline_backlog);
        process.tasks.endless("pressure", watching);
        process.tasks.endless("sweep", sweep(intake));
        let dead_letters = DeadLetters::new(process.bus.clone(), &process.metrics)?;
        process.tasks.endless("dead letters", dead_letters.watch());
        let reading = gateway.run(process.registry.clone(), process.tasks.clone());
        process.tasks.critical("gateway", reading);
        process.tasks.critical(
            "http",
            bound.serve(web::router(door, config.max_body_bytes), shutdown),
        );
        Ok(())
    }
}

/// Keeps the memory of limits and accounts to what is in use.
async fn sweep(intake: Arc<Intake>) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        intake.forget_unused();
    }
}
