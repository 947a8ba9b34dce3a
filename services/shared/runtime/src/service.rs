//! The life of a service: one bootstrap for all.
//!
//! Arguments, configuration, logs, broker (waited for, however long it takes), topology, admin endpoints, then
//! the service's own parts; SIGTERM or SIGINT begins the drain, which ends under a deadline; a second signal
//! ends at once; the death of a critical task drains and ends with a code other than zero.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, BusConfig, BusError};
use registry::Registry;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{ConfigErrors, FromEnvironment, Reader};
use crate::health::Health;
use crate::identity::IdentityConfig;
use crate::metrics::{self, Metrics};
use crate::otlp::{Export, OtlpConfig};
use crate::task::{Death, Tasks};
use crate::telemetry::LogConfig;
use crate::{admin, broker, connection_metrics, telemetry, web};

/// One of the services.
pub trait Service: Sized + 'static {
    /// Its name: folder, binary, consumer, metric label.
    const NAME: &'static str;
    /// What it does, for `--help`.
    const ABOUT: &'static str;
    /// Its own configuration.
    type Config: FromEnvironment + Send;

    /// Wires its parts and starts them as critical tasks of `process`; returns when they run.
    fn start(config: Self::Config, process: Process) -> impl Future<Output = Result<(), StartError>> + Send;
}

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A socket, a file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The broker refused.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A metric is declared twice.
    #[error(transparent)]
    Metric(#[from] crate::metrics::MetricError),
    /// Anything that the service itself needs, in words.
    #[error("{0}")]
    Other(String),
}

/// What a service is given to work with.
#[derive(Clone)]
pub struct Process {
    /// The broker; the topology is in place.
    pub bus: Bus,
    /// The operator's configuration; loaded, and followed.
    pub registry: Registry,
    /// Where its tasks run.
    pub tasks: Tasks,
    /// What it counts.
    pub metrics: Metrics,
    /// What it knows about itself.
    pub health: Health,
    addresses: Arc<Addresses>,
}

struct Addresses {
    file: Option<PathBuf>,
    bound: Mutex<BTreeMap<String, SocketAddr>>,
}

impl Process {
    /// Tells where the service listens under a name, in the log and in `ADDRESS_FILE`.
    ///
    /// # Errors
    /// The system's, when the file cannot be written.
    pub fn announce(&self, name: &str, address: SocketAddr) -> std::io::Result<()> {
        tracing::info!(name, %address, "listening");
        let mut bound = self
            .addresses
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        bound.insert(name.to_owned(), address);
        let Some(file) = &self.addresses.file else {
            return Ok(());
        };
        // Written beside and moved: a reader never sees half a file.
        let draft = file.with_extension("draft");
        std::fs::write(
            &draft,
            serde_json::to_vec(&*bound).map_err(std::io::Error::other)?,
        )?;
        std::fs::rename(&draft, file)
    }
}

/// What every service is configured with.
#[derive(Debug, Clone)]
pub struct CommonConfig {
    /// How to reach the broker.
    pub bus: BusConfig,
    /// Who the service is to it.
    pub identity: IdentityConfig,
    /// Where the admin endpoints listen.
    pub admin_listen: SocketAddr,
    /// Where to write the addresses that were bound.
    pub address_file: Option<PathBuf>,
    /// How long draining may take.
    pub drain_deadline: Duration,
    /// How long the broker may be away before the service says that it is not ready.
    pub readiness_grace: Duration,
    /// Threads that the service's work runs on.
    pub threads: usize,
    /// How to log.
    pub log: LogConfig,
    /// Where spans go. Boxed, as most go nowhere.
    pub otlp: Box<OtlpConfig>,
}

impl CommonConfig {
    /// Reads the keys that all services share.
    pub fn read(reader: &mut Reader, name: &str) -> Self {
        let seconds = Duration::from_secs;
        let url = reader.text(
            "NATS_URL",
            "nats://127.0.0.1:4222",
            "The broker; several separated by commas. tls:// demands TLS.",
        );
        let identity = IdentityConfig::read(reader);
        let replicas = reader.number(
            "NATS_REPLICAS",
            1,
            1..=5,
            "Copies of each stream, when it is created.",
        );
        let ack_wait = reader.duration(
            "NATS_ACK_WAIT",
            Duration::ZERO,
            Duration::ZERO..=seconds(300),
            "Takes the place of each consumer's own ack_wait when it is created; 0s leaves it.",
        );
        if ack_wait > Duration::ZERO && ack_wait < seconds(1) {
            reader.error("NATS_ACK_WAIT: must be 0s or at least 1s".to_owned());
        }
        let threads = reader.number(
            "WORKER_THREADS",
            1,
            1..=64,
            "Threads that the work runs on. One does most per CPU; more replicas rather than more threads.",
        );
        let any = SocketAddr::from(([0, 0, 0, 0], 9090));
        Self {
            bus: BusConfig {
                url,
                name: name.to_owned(),
                replicas: usize::try_from(replicas).unwrap_or(1),
                ack_wait: (ack_wait > Duration::ZERO).then_some(ack_wait),
            },
            identity,
            admin_listen: reader.listen("ADMIN_LISTEN", any, "Where /healthz, /readyz and /metrics are."),
            address_file: reader
                .optional("ADDRESS_FILE", "Where to write the bound addresses, as JSON.")
                .map(PathBuf::from),
            drain_deadline: reader.duration(
                "DRAIN_DEADLINE",
                seconds(110),
                seconds(1)..=seconds(3600),
                "How long work in flight may take after SIGTERM; below the pod's grace period.",
            ),
            readiness_grace: reader.duration(
                "READINESS_GRACE",
                seconds(10),
                Duration::ZERO..=seconds(300),
                "How long the broker may be away before /readyz says so.",
            ),
            threads: usize::try_from(threads).unwrap_or(1),
            log: LogConfig::read(reader),
            otlp: Box::new(OtlpConfig::read(reader)),
        }
    }
}

/// Reads the whole configuration of a service from given variables.
///
/// # Errors
/// [`ConfigErrors`] naming each key and its bound.
pub fn configure<S: Service>(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(CommonConfig, S::Config), ConfigErrors> {
    let mut reader = Reader::new(variables);
    let common = CommonConfig::read(&mut reader, S::NAME);
    let own = S::Config::read(&mut reader);
    reader.finish().map(|()| (common, own))
}

/// A service that runs.
pub struct Running {
    tasks: Tasks,
    health: Health,
    bus: Bus,
    deaths: mpsc::Receiver<Death>,
    drain_deadline: Duration,
    addresses: Arc<Addresses>,
    export: Export,
}

/// The whole of a service's binary.
pub fn main<S: Service>() -> ExitCode {
    let mut reader = Reader::from_process();
    let common = CommonConfig::read(&mut reader, S::NAME);
    let own = S::Config::read(&mut reader);
    if let Some(code) = answer_arguments::<S>(&reader) {
        return code;
    }
    if let Err(errors) = reader.finish() {
        return fail(&errors);
    }
    telemetry::start(&common.log);
    let runtime = match runtime(common.threads) {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        match watch_signals(&shutdown) {
            Ok(()) => live::<S>(common, own, shutdown).await,
            Err(error) => fail(&error),
        }
    })
}

/// One thread needs no locks, no queues to steal from and no waking of others.
fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}

async fn live<S: Service>(common: CommonConfig, own: S::Config, shutdown: CancellationToken) -> ExitCode {
    match launch::<S>(common, own, shutdown).await {
        Ok(Some(running)) => running.finish().await,
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            ExitCode::FAILURE
        }
    }
}

/// Starts a service; none if shutdown came before the broker did.
///
/// # Errors
/// [`StartError`] when it cannot run here, which no waiting would change.
pub async fn launch<S: Service>(
    common: CommonConfig,
    own: S::Config,
    shutdown: CancellationToken,
) -> Result<Option<Running>, StartError> {
    tracing::info!(service = S::NAME, version = env!("CARGO_PKG_VERSION"), "starting");
    let (tasks, deaths) = Tasks::new(shutdown.clone());
    let identity = common.identity.open()?;
    let user = identity
        .key
        .is_some()
        .then(|| broker::user(S::NAME))
        .transpose()?;
    let metrics = Metrics::new(S::NAME)?;
    let export = Export::start(&common.otlp, S::NAME, &metrics)?;
    let bus = Bus::connect_as(common.bus, identity)
        .await?
        .with_spans(export.spans());
    metrics::process::declare(&metrics)?;
    let health = Health::new(&metrics)?;
    connection_metrics::show(bus.clone(), &metrics)?;
    let addresses = Arc::new(Addresses {
        file: common.address_file,
        bound: Mutex::default(),
    });
    let (registry, following) = Registry::follow(bus.clone());
    let process = Process {
        bus: bus.clone(),
        registry: registry.clone(),
        tasks: tasks.clone(),
        metrics,
        health: health.clone(),
        addresses: Arc::clone(&addresses),
    };

    broker::require(&process, common.readiness_grace);
    let started = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_started = Arc::clone(&started);
    health.require("starting", move || {
        is_started.load(std::sync::atomic::Ordering::Relaxed)
    });
    let admin = web::bind(common.admin_listen).await?;
    process.announce("admin", admin.address)?;
    tasks.critical(
        "admin",
        admin.serve(admin::router(&health, &process.metrics), shutdown.clone()),
    );

    tokio::select! {
        () = shutdown.cancelled() => return Ok(None),
        () = broker::wait(&bus, user) => {}
    }
    tasks.endless("registry", following);
    tokio::select! {
        () = shutdown.cancelled() => return Ok(None),
        () = registry.wait_until_loaded() => {}
    }
    S::start(own, process).await?;
    started.store(true, std::sync::atomic::Ordering::Relaxed);
    tracing::info!(service = S::NAME, "started");
    Ok(Some(Running {
        tasks,
        health,
        bus,
        deaths,
        drain_deadline: common.drain_deadline,
        addresses,
        export,
    }))
}

impl Running {
    /// Where the service listens under a name that it announced.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.addresses
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .copied()
    }

    /// Waits for shutdown or a death, then drains.
    pub async fn finish(mut self) -> ExitCode {
        let shutdown = self.tasks.shutdown().clone();
        let death = tokio::select! {
            () = shutdown.cancelled() => None,
            death = self.deaths.recv() => death,
        };
        self.health.drain();
        shutdown.cancel();
        let deadline = Instant::now() + self.drain_deadline;
        let drained = tokio::time::timeout_at(deadline, self.tasks.wait()).await.is_ok();
        if let Err(error) = self.bus.flush().await {
            tracing::warn!(%error, "the last acknowledgements may be lost; their work comes again");
        }
        let time_left = deadline.saturating_duration_since(Instant::now());
        self.export.finish(time_left).await;
        if !drained {
            tracing::error!(
                tasks = self.tasks.running(),
                "the drain took too long; what is left comes again"
            );
        }
        match death {
            Some(death) => {
                tracing::error!(
                    task = death.task,
                    cause = death.cause,
                    "ended by the death of a task"
                );
                ExitCode::FAILURE
            }
            None if drained => ExitCode::SUCCESS,
            None => ExitCode::FAILURE,
        }
    }
}

/// The first signal begins the drain, the second ends the process at once.
///
/// # Errors
/// The system's, when signals cannot be watched.
pub fn watch_signals(shutdown: &CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = shutdown.clone();
    let (watcher, _deaths) = Tasks::new(shutdown.clone());
    // Lives as long as the process; its end could only mean that signals are no longer delivered.
    drop(watcher.owned(async move {
        for count in 0.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if count > 0 {
                tracing::error!("second signal: ending at once");
                std::process::exit(130);
            }
            tracing::info!("signal received: draining");
            shutdown.cancel();
        }
    }));
    Ok(())
}

fn answer_arguments<S: Service>(reader: &Reader) -> Option<ExitCode> {
    let name = S::NAME;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => return None,
        ["--help" | "-h"] => format!(
            "{name}: {}\n\nUsage: {name} [--help | --print-config | --version]\n\nConfiguration, from the \
             environment:\n{}",
            S::ABOUT,
            reader.help()
        ),
        ["--print-config"] => match reader.finish() {
            Ok(()) => reader.print(),
            Err(errors) => return Some(fail(&errors)),
        },
        ["--version" | "-V"] => format!("{name} {}\n", env!("CARGO_PKG_VERSION")),
        _ => return Some(fail(&format!("{name}: unknown arguments; see {name} --help"))),
    };
    Some(match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

#[expect(clippy::print_stderr, reason = "logging has not started yet")]
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
