//! The admin API and the pages made of it: what operators ask of the platform, over HTTP. The pipeline runs without it.
//!
//! Guarantees:
//! - Nothing is answered, and no body is read, without one of the tokens or a session that one of them has opened, but for
//!   the page on which to sign in, and of a few forms a second what is shown to be sent again; a viewer's changes nothing.
//! - What operators do stands in the log, whether it was done or refused, without bodies and secrets.
//! - It calls no webhook itself: it asks webhook-caller over the broker, whose rules so hold here as well.

mod ab;
mod audit;
mod breakers;
mod call;
mod config;
mod conversations;
mod dead_letters;
mod forgetting;
mod guard;
mod lockout;
mod messages;
mod metrics;
mod openapi;
mod overview;
mod pages;
mod playground;
mod problem;
mod records;
mod route;
mod routes;
mod session;
mod test_integration;
mod token;
mod vitals;
mod web;

use std::sync::Arc;

use runtime::{Process, Service, StartError};
use tokio::sync::Semaphore;

pub use config::Config;
use forgetting::Forgetting;
use guard::Guard;
use lockout::LockOut;
use metrics::ConsoleMetrics;
use pages::Attachments;
pub use pages::login_link;
use playground::Playground;
use vitals::Vitals;
use web::Desk;

/// How many may watch a message of the playground at once.
const MOST_WATCHERS: usize = 32;

/// The service.
pub struct Console;

impl Service for Console {
    const NAME: &'static str = "console";
    const ABOUT: &'static str =
        "the admin API and pages for operators: configuration, tests, conversations, dead letters";
    type Config = Config;

    async fn start(config: Config, process: Process) -> Result<(), StartError> {
        config.tokens.check()?;
        let (routes, pages) = (routes::all(), pages::all());
        let vitals = Vitals::default();
        let desk = Desk {
            bus: process.bus.clone(),
            registry: process.registry.clone(),
            guard: Guard::new(config.tokens, config.per_second),
            secrets: config.secrets,
            forgetting: Forgetting::new(config.forget_seed),
            metrics: ConsoleMetrics::new(&process.metrics, &routes, &pages)?,
            tasks: process.tasks.clone(),
            lock_out: LockOut::default(),
            vitals: vitals.clone(),
            playground: config.playground.map(Playground::new).transpose()?,
            watching: Arc::new(Semaphore::new(MOST_WATCHERS)),
            surroundings: config.surroundings,
            attachments: Attachments::new(config.files.open(process.bus.clone())?),
            reading: Semaphore::new(1),
        };
        let bound = runtime::web::bind(config.http_listen).await?;
        process.announce("http", bound.address)?;
        let shutdown = process.tasks.shutdown().clone();
        let serving = bound.serve(web::router(Arc::new(desk), routes, pages), shutdown);
        process.tasks.critical("http", serving);
        process.tasks.endless("vitals", vitals.watch(process.bus));
        Ok(())
    }
}
