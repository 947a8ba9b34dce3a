//! A service of nothing but a life: it runs one critical task that does as its configuration says.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use runtime::config::{FromEnvironment, Reader};
use runtime::metrics::StageMetrics;
use runtime::service::{CommonConfig, Running, launch};
use runtime::{Process, Service, StartError};
use tempfile::TempDir;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_for};
use tokio_util::sync::CancellationToken;

/// What the task does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// Ends when it is asked to.
    Obedient,
    /// Never ends.
    Stuck,
    /// Ends at once, with an error.
    Failing,
    /// Ends at once, by a panic.
    Panicking,
}

pub(crate) struct Config(Task);

impl FromEnvironment for Config {
    fn read(_reader: &mut Reader) -> Self {
        Self(Task::Obedient)
    }
}

pub(crate) struct Tiny;

impl Service for Tiny {
    const NAME: &'static str = "tiny";
    const ABOUT: &'static str = "lives";
    type Config = Config;

    async fn start(config: Config, process: Process) -> Result<(), StartError> {
        StageMetrics::new(&process.metrics)?;
        let shutdown = process.tasks.shutdown().clone();
        process.tasks.critical("task", async move {
            match config.0 {
                Task::Obedient => shutdown.cancelled().await,
                Task::Stuck => std::future::pending().await,
                Task::Failing => return Err("planted"),
                Task::Panicking => panic!("planted"),
            }
            Ok(())
        });
        Ok(())
    }
}

/// Where a launch writes its addresses, and how it is told to end.
pub(crate) struct Launch {
    folder: TempDir,
    pub(crate) shutdown: CancellationToken,
    url: String,
}

impl Launch {
    pub(crate) fn new(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            folder,
            shutdown: CancellationToken::new(),
            url: url.to_owned(),
        }
    }

    pub(crate) async fn start(&self, task: Task) -> Option<Running> {
        launch::<Tiny>(self.common(), Config(task), self.shutdown.clone())
            .await
            .unwrap()
    }

    fn common(&self) -> CommonConfig {
        let variables = [
            ("NATS_URL", self.url.as_str()),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            (
                "ADDRESS_FILE",
                &self.folder.path().join("addresses.json").to_string_lossy(),
            ),
            ("DRAIN_DEADLINE", "1s"),
            ("READINESS_GRACE", "0s"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut reader = Reader::new(variables);
        let common = CommonConfig::read(&mut reader, Tiny::NAME);
        reader.finish().unwrap();
        common
    }

    /// What the service wrote into `ADDRESS_FILE`.
    pub(crate) async fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        let file = self.folder.path().join("addresses.json");
        wait_for(PATIENCE, "the addresses", async || {
            serde_json::from_slice(&std::fs::read(&file).ok()?).unwrap()
        })
        .await
    }

    /// Asks an admin endpoint: status and body.
    pub(crate) async fn ask(&self, path: &str) -> (u16, String) {
        let admin = self.addresses().await["admin"];
        let answer = client()
            .get(format!("http://{admin}{path}"))
            .send()
            .await
            .unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }
}
