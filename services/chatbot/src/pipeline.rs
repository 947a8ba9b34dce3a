//! The whole pipeline in this process: broker, playground, five services and the console, the built-in bot.

use std::collections::BTreeMap;
use std::time::Duration;

use attachment_fetcher::AttachmentFetcher;
use bus::Bus;
use console::Console;
use context_builder::ContextBuilder;
use egress::Egress;
use ingress::Ingress;
use registry::Manifest;
use runtime::Service;
use runtime::service::{Running, configure, launch};
use runtime::task::Tasks;
use tokio_util::sync::CancellationToken;
use webhook_caller::WebhookCaller;

use crate::Failure;
use crate::broker::connect;
use crate::nats_server::{Binary, NatsServer};
use crate::playground::Playground;
use crate::run_dir::{Addresses, RunDir};

/// The connection that comes with `up`.
pub(crate) const CONNECTION: &str = "web";
/// How long a service may take to find the broker, which is there already.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// A running pipeline.
pub(crate) struct Pipeline {
    pub(crate) playground: Playground,
    pub(crate) addresses: Addresses,
    pub(crate) bus: Bus,
    services: Vec<Running>,
    tasks: Tasks,
    nats: NatsServer,
    shutdown: CancellationToken,
}

/// How to start it.
pub(crate) struct Settings<'a> {
    pub(crate) binary: &'a Binary,
    pub(crate) run_dir: &'a RunDir,
    /// Where ingress listens.
    pub(crate) listen: String,
    /// How long the echo bot thinks.
    pub(crate) echo_delay: Duration,
    /// Ends the services.
    pub(crate) shutdown: CancellationToken,
}

impl Pipeline {
    /// Starts everything, in the order in which one part needs another.
    pub(crate) async fn start(settings: Settings<'_>) -> Result<Self, Failure> {
        let Settings {
            binary,
            run_dir,
            listen,
            echo_delay,
            shutdown,
        } = settings;
        let nats = NatsServer::start(binary, &run_dir.path().join("nats")).await?;
        let (push, callback) = (run_dir.secret("push")?, run_dir.secret("callback")?);
        let read = |path: &std::path::Path| std::fs::read_to_string(path).map_err(Failure::new);
        let playground = Playground::new(&read(&callback)?)?;
        let bound = Playground::bind().await?;
        let base = format!("http://{}", bound.address);
        let (tasks, _deaths) = Tasks::new(shutdown.clone());
        tasks.critical("playground", bound.serve(playground.router(), shutdown.clone()));

        let mut variables = variables(&nats.url, run_dir)?;
        let mut services = Vec::new();
        let fetcher = start::<AttachmentFetcher>(&variables, &shutdown).await?;
        let files = address(&fetcher, "http")?;
        variables.insert("ATTACHMENTS_URL".to_owned(), format!("http://{files}/files"));
        services.push(fetcher);

        let bus = connect(&nats.url).await?;
        let echo = format!("{base}/echo?delay_ms={}", echo_delay.as_millis());
        let secret_of = |path: &std::path::Path| format!("file:{}", path.display());
        let manifest = builtin(
            &echo,
            &format!("{base}/callback"),
            &secret_of(&push),
            &secret_of(&callback),
        )?;
        manifest.store(&bus).await.map_err(Failure::new)?;

        services.push(start::<Egress>(&variables, &shutdown).await?);
        services.push(start::<WebhookCaller>(&variables, &shutdown).await?);
        services.push(start::<ContextBuilder>(&variables, &shutdown).await?);
        let mut of_ingress = variables.clone();
        of_ingress.insert("HTTP_LISTEN".to_owned(), listen);
        let ingress = start::<Ingress>(&of_ingress, &shutdown).await?;
        let entrance = format!("http://{}", address(&ingress, "http")?);
        for key in ["INGRESS_URL", "INGRESS_PUBLIC_URL"] {
            variables.insert(key.to_owned(), entrance.clone());
        }
        variables.insert("CONSOLE_PLAYGROUND_SECRET".to_owned(), secret_of(&push));
        let console = start::<Console>(&variables, &shutdown).await?;
        let addresses = Addresses {
            nats: nats.url.clone(),
            ingress: entrance,
            replies: format!("{base}/replies"),
            secret: read(&push)?,
            console: format!("http://{}", address(&console, "http")?),
            console_token: read(&run_dir.secret("console")?)?,
        };
        services.extend([ingress, console]);
        Ok(Self {
            playground,
            addresses,
            bus,
            services,
            tasks,
            nats,
            shutdown,
        })
    }

    /// Ends it now.
    pub(crate) async fn stop(self) -> bool {
        self.shutdown.cancel();
        self.finish().await
    }

    /// Waits for shutdown, drains the services, then stops the broker. True when all ended well.
    pub(crate) async fn finish(self) -> bool {
        // Each waits for shutdown, or for the death of one of its tasks, which ends all.
        let mut ends = tokio::task::JoinSet::new();
        for service in self.services {
            ends.spawn(service.finish());
        }
        let mut well = true;
        while let Some(ended) = ends.join_next().await {
            self.shutdown.cancel();
            well &= ended.is_ok_and(|code| code == std::process::ExitCode::SUCCESS);
        }
        self.tasks.wait().await;
        drop(self.bus);
        self.nats.stop().await;
        well
    }
}

/// The configuration of the services, as being one process on this machine wants it.
fn variables(nats_url: &str, run_dir: &RunDir) -> Result<BTreeMap<String, String>, Failure> {
    let reference = |name| {
        run_dir
            .secret(name)
            .map(|path| format!("file:{}", path.display()))
    };
    let ours = [
        ("NATS_URL", nats_url.to_owned()),
        ("ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("HTTP_LISTEN", "127.0.0.1:0".to_owned()),
        // The playground and the files are on this machine, behind plain HTTP.
        ("OUTBOUND_ALLOW", "127.0.0.1".to_owned()),
        ("ATTACHMENTS_SECRET", reference("links")?),
        ("CONSOLE_OPERATOR_TOKEN", reference("console")?),
        ("DRAIN_DEADLINE", "20s".to_owned()),
    ];
    Ok(ours
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect())
}

async fn start<S: Service>(
    variables: &BTreeMap<String, String>,
    shutdown: &CancellationToken,
) -> Result<Running, Failure> {
    let name = S::NAME;
    let (common, own) =
        configure::<S>(variables.clone()).map_err(|errors| Failure(format!("{name}: {errors}")))?;
    // Boxed: wiring a service takes kilobytes, once.
    let launching = Box::pin(launch::<S>(common, own, shutdown.clone()));
    match tokio::time::timeout(START_DEADLINE, launching).await {
        Ok(Ok(Some(running))) => Ok(running),
        Ok(Ok(None)) => Err(Failure::new("stopped while starting")),
        Ok(Err(error)) => Err(Failure(format!("{name}: {error}"))),
        Err(_) => Err(Failure(format!("{name} did not start"))),
    }
}

fn address(service: &Running, name: &str) -> Result<std::net::SocketAddr, Failure> {
    service
        .address(name)
        .ok_or_else(|| Failure(format!("a service listens nowhere as {name:?}")))
}

/// The bot that answers out of the box.
fn builtin(
    echo: &str,
    callback: &str,
    push_secret: &str,
    callback_secret: &str,
) -> Result<Manifest, Failure> {
    serde_json::from_value(serde_json::json!({
        "integrations": [{ "id": "echo", "url": echo }],
        "bots": [{ "id": "demo", "name": "Echo", "integration": "echo" }],
        "connections": [{ "id": CONNECTION, "bot": "demo", "channel": { "http": {
            "secrets": [push_secret], "callback_url": callback, "callback_secret": callback_secret } } }],
    }))
    .map_err(Failure::new)
}
