//! Where the broker is, and who the command line is to it.

use std::path::PathBuf;
use std::time::Duration;

use bus::{Bus, BusConfig, Identity};
use clap::Args;
use proto_schemas::access::OPERATOR;
use registry::SecretRef;
use runtime::config::without_password;
use runtime::identity::IdentityConfig;
use runtime::telemetry::{self, LogConfig};

use crate::Failure;
use crate::run_dir::RunDir;

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How to reach it.
#[derive(Args)]
pub(crate) struct Broker {
    /// The broker; taken from the run folder when absent.
    #[arg(long, global = true, env = "NATS_URL")]
    nats_url: Option<String>,
    /// Reference to the seed of one's user of the broker, as file:PATH or env:NAME: `chatbot`, or `bootstrap` and
    /// `forget` for those commands.
    // Its value is parsed by us: clap would repeat a seed that was given in place of its reference.
    #[arg(long, global = true, env = "NATS_NKEY_SEED", hide_env_values = true)]
    nats_nkey_seed: Option<String>,
    /// Certificates (PEM) that the broker's has to be signed by.
    #[arg(long, global = true, env = "NATS_CA_FILE")]
    nats_ca_file: Option<PathBuf>,
}

impl Broker {
    /// Connects as the operator.
    pub(crate) async fn connect(&self, run_dir: &RunDir) -> Result<Bus, Failure> {
        self.connect_as(OPERATOR, run_dir, 1).await
    }

    /// Connects as one of the broker's users; `replicas` is how many copies of a stream are made.
    pub(crate) async fn connect_as(
        &self,
        user: &str,
        run_dir: &RunDir,
        replicas: usize,
    ) -> Result<Bus, Failure> {
        let config = BusConfig {
            url: self.url(run_dir)?,
            name: user.to_owned(),
            replicas,
            ack_wait: None,
        };
        open(config, self.identity()?).await
    }

    /// Where the broker is: as it was said, or that of the run folder.
    fn url(&self, run_dir: &RunDir) -> Result<String, Failure> {
        let running = || run_dir.addresses().ok().map(|up| up.nats);
        let url = self.nats_url.clone().or_else(running);
        url.ok_or_else(|| {
            Failure::new("no broker: start `chatbot up`, or name one by --nats-url or NATS_URL")
        })
    }

    fn identity(&self) -> Result<Identity, Failure> {
        let given = self
            .nats_nkey_seed
            .clone()
            .filter(|reference| !reference.is_empty());
        let seed = given.map(SecretRef::try_from).transpose();
        let config = IdentityConfig {
            seed: seed.map_err(|error| Failure(format!("NATS_NKEY_SEED: {error}")))?,
            roots: self
                .nats_ca_file
                .clone()
                .filter(|file| !file.as_os_str().is_empty()),
        };
        config.open().map_err(Failure::new)
    }
}

/// Connects to a broker that asks nobody who they are.
pub(crate) async fn connect(url: &str) -> Result<Bus, Failure> {
    let config = BusConfig::new(url, OPERATOR);
    open(config, Identity::default()).await
}

/// Connects, and waits a little for the broker.
async fn open(config: BusConfig, identity: Identity) -> Result<Bus, Failure> {
    // A subject that the broker refuses to this user is named there and nowhere else.
    telemetry::start(&LogConfig::pretty("error"));
    let url = without_password(&config.url);
    let bus = Bus::connect_as(config, identity).await.map_err(Failure::new)?;
    let mut connected = bus.connected();
    if let Ok(Ok(_)) = tokio::time::timeout(PATIENCE, connected.wait_for(|connected| *connected)).await {
        return Ok(bus);
    }
    let cause = bus.trouble().await.unwrap_or_else(|| "too slow".to_owned());
    Err(Failure(format!("no broker answers at {url}: {cause}")))
}
