//! The admin API: what operators ask of the platform, over HTTP. The pipeline runs without it.
//!
//! Guarantees:
//! - Nothing is answered, and no body is read, without one of the tokens.
//! - It calls no webhook itself: it asks webhook-caller over the broker, whose rules so hold here as well.

mod config;
mod metrics;
mod problem;
mod test_integration;
mod token;
mod web;

use std::sync::Arc;

use runtime::{Process, Service, StartError};

pub use config::Config;
use metrics::ConsoleMetrics;
use web::Desk;

/// The service.
pub struct Console;

impl Service for Console {
    const NAME: &'static str = "console";
    const ABOUT: &'static str = "the admin API for operators: tests integrations";
    type Config = Config;

    async fn start(config: Config, process: Process) -> Result<(), StartError> {
        config.tokens.check()?;
        let desk = Desk::new(
            process.bus.clone(),
            process.registry.clone(),
            config.tokens,
            ConsoleMetrics::new(&process.metrics)?,
        );
        let bound = runtime::web::bind(config.http_listen).await?;
        process.announce("http", bound.address)?;
        let shutdown = process.tasks.shutdown().clone();
        let serving = bound.serve(web::router(Arc::new(desk)), shutdown);
        process.tasks.critical("http", serving);
        Ok(())
    }
}
