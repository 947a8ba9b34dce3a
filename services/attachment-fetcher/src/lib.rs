//! Stores files, of users (in) and of replies (out), and serves them at signed links.
//!
//! Guarantees:
//! - Each fetch ends with one outcome per file, in order: stored, or unavailable with a reason. A file that
//!   cannot be had never holds a conversation up for longer than its budget.
//! - Nothing is fetched that the outbound policy forbids, and nothing beyond the size limit is read.
//! - Nothing is served without a link that we signed and that has not expired, and nothing that is served can
//!   run as a page of ours.

mod config;
mod download;
mod headers;
mod metrics;
pub mod range;
mod serve;
mod stage;

use std::sync::Arc;

use channels::Accounts;
use proto_schemas::dead_letter::Stage;
use proto_schemas::topology::FETCH_WORK;
use runtime::metrics::StageMetrics;
use runtime::runner::Runner;
use runtime::{Process, Service, StartError, lag, leftovers};

pub use config::Config;
use metrics::FetchMetrics;
use serve::FileServer;
use stage::Fetcher;

/// The service.
pub struct AttachmentFetcher;

impl Service for AttachmentFetcher {
    const NAME: &'static str = Stage::AttachmentFetcher.as_str();
    const ABOUT: &'static str = "brings files into the object store and serves them at signed links";
    type Config = Config;

    async fn start(config: Config, process: Process) -> Result<(), StartError> {
        let metrics = FetchMetrics::new(&process.metrics)?;
        let links = config.links.open()?;
        let files = config.files.open(process.bus.clone())?;
        let server = FileServer::new(files.clone(), links, metrics.clone(), config.max_concurrent_reads);
        let bound = runtime::web::bind(config.http_listen).await?;
        process.announce("http", bound.address)?;
        let fetcher = Arc::new(Fetcher {
            bus: process.bus.clone(),
            files,
            registry: process.registry.clone(),
            accounts: Accounts::default(),
            client: config.outgoing.client()?,
            max_file_bytes: config.max_file_bytes,
            metrics,
        });
        let runner = runner(&process, Arc::clone(&fetcher), config.concurrency)?;
        process.tasks.critical("fetches", runner.run());
        leftovers::watch(&process, fetcher, FETCH_WORK)?;
        lag::watch(&process, &[FETCH_WORK])?;
        let shutdown = process.tasks.shutdown().clone();
        process
            .tasks
            .critical("http", bound.serve(serve::router(server), shutdown));
        Ok(())
    }
}

fn runner(process: &Process, stage: Arc<Fetcher>, concurrency: usize) -> Result<Runner<Fetcher>, StartError> {
    Ok(Runner {
        stage,
        name: Stage::AttachmentFetcher,
        consumer: FETCH_WORK,
        concurrency,
        bus: process.bus.clone(),
        metrics: StageMetrics::new(&process.metrics)?,
        pulse: process.health.pulse(FETCH_WORK.stream),
        shutdown: process.tasks.shutdown().clone(),
    })
}
