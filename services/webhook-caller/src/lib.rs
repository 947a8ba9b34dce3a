//! Calls the bot's webhook for one turn, commits the answer to the context, publishes its delivery.
//!
//! One HTTP call per delivery of a turn; a retry is a nak with a delay, so it survives restarts. The commit is
//! a compare-and-set from the revision that the turn was built on: late and second answers lose it.

mod breaker;
mod call;
mod client;
mod commit;
mod config;
mod error;
mod format;
mod integration;
mod metrics;
mod request;
mod route;
#[cfg(test)]
mod samples;
mod span;
mod stage;
mod trial;
mod typing;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use proto_schemas::context::TurnResult;
use proto_schemas::dead_letter::Stage;
use proto_schemas::subjects::INTEGRATION_TESTS;
use proto_schemas::topology::TURN_WORK;
use registry::{Format, Registry};
use runtime::limit::Limits;
use runtime::metrics::StageMetrics;
use runtime::runner::Runner;
use runtime::{Process, Service, StartError, lag, leftovers};

use breaker::Circuits;
pub use config::Config;
use format::Dialect;
use integration::{Cluster, Integrations};
use metrics::CallerMetrics;
use stage::Caller;

/// How often series of integrations that are gone are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// The service.
pub struct WebhookCaller;

impl Service for WebhookCaller {
    const NAME: &'static str = Stage::WebhookCaller.as_str();
    const ABOUT: &'static str = "calls the bot's webhook, commits the answer, publishes its delivery";
    type Config = Config;

    async fn start(config: Config, process: Process) -> Result<(), StartError> {
        let metrics = Arc::new(CallerMetrics::new(&process.metrics, config.label_integrations)?);
        let cluster = Cluster {
            limits: Arc::new(Limits::new(process.bus.clone(), &process.metrics)?),
            circuits: Arc::new(Circuits::new(process.bus.clone(), Arc::clone(&metrics))),
        };
        if let Err(error) = cluster.circuits.read_all().await {
            tracing::warn!(%error, "the circuit breakers are not known yet; they count as closed");
        }
        let circuits = Arc::clone(&cluster.circuits);
        process.tasks.endless("circuits", circuits.follow());
        let sweep = sweep(Arc::clone(&metrics), process.registry.clone());
        process.tasks.endless("sweep", sweep);
        let integrations = Integrations::new(
            config.outgoing.client()?,
            config.concurrency,
            cluster,
            process.tasks.clone(),
            Arc::clone(&metrics),
        );
        let questions = process.bus.questions(INTEGRATION_TESTS, Self::NAME).await?;
        let caller = Arc::new(Caller {
            bus: process.bus.clone(),
            registry: process.registry.clone(),
            links: config.links.open()?,
            integrations,
            metrics,
        });
        let runner = Runner {
            stage: Arc::clone(&caller),
            name: Stage::WebhookCaller,
            consumer: TURN_WORK,
            concurrency: config.concurrency,
            bus: process.bus.clone(),
            metrics: StageMetrics::new(&process.metrics)?.expect(error::classes()),
            pulse: process.health.pulse(TURN_WORK.stream),
            shutdown: process.tasks.shutdown().clone(),
        };
        process.tasks.critical("turns", runner.run());
        leftovers::watch(&process, Arc::clone(&caller), TURN_WORK)?;
        lag::watch(&process, &[TURN_WORK])?;
        let tests = trial::answer(caller, questions, process.tasks.clone());
        process.tasks.critical("tests", tests);
        Ok(())
    }
}

/// Reads the body of a 2xx as calls of an integration with this format do.
///
/// # Errors
/// The class of the failure, as metrics and dead letters name it. The same body would be unusable again.
pub fn read_reply(format: &Format, body: &[u8]) -> Result<TurnResult, &'static str> {
    Dialect::of(format).reply(body).map_err(|error| error.class)
}

/// Forgets the series of integrations that are not there any more.
async fn sweep(metrics: Arc<CallerMetrics>, registry: Registry) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        metrics.keep_integrations(|id| registry.integration(id).is_some());
    }
}
