//! A nats-server of our own: a child process with a data folder of its own, on a free port, stopped with us.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::Failure;

/// How long the server may take to listen; recovering a large store takes seconds.
const START_DEADLINE: Duration = Duration::from_secs(60);
/// How long it may take to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Which program to run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Binary {
    /// The nats-server program, 2.12 or newer; `make tools` fetches one.
    #[arg(long = "nats-server", default_value = "nats-server", env = "NATS_SERVER_BIN")]
    program: PathBuf,
}

/// A running server.
pub(crate) struct NatsServer {
    child: Child,
    binary: Binary,
    pid_file: PathBuf,
    /// Where clients connect.
    pub(crate) url: String,
}

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

impl NatsServer {
    /// Starts a server on `folder`, after stopping one that an earlier run left behind there.
    pub(crate) async fn start(binary: &Binary, folder: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder).map_err(|error| Failure(format!("{}: {error}", folder.display())))?;
        let pid_file = folder.join("nats-server.pid");
        stop_left_behind(binary, &pid_file).await?;
        for stale in ports_files(folder) {
            std::fs::remove_file(&stale).map_err(Failure::new)?;
        }
        let log = std::fs::File::create(folder.join("nats-server.log")).map_err(Failure::new)?;
        let child = Command::new(&binary.program)
            .args(["--jetstream", "--addr", "127.0.0.1", "--port", "-1"])
            .arg("--store_dir")
            .arg(folder)
            .arg("--ports_file_dir")
            .arg(folder)
            .arg("--pid")
            .arg(&pid_file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // A signal to the terminal's group must reach us first: the services drain through the broker.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                Failure(format!(
                    "cannot run {}: {error}; `make tools` fetches a nats-server",
                    binary.program.display()
                ))
            })?;
        let mut server = Self {
            child,
            binary: binary.clone(),
            pid_file,
            url: String::new(),
        };
        server.url = server.wait_for_port(folder).await?;
        Ok(server)
    }

    async fn wait_for_port(&mut self, folder: &Path) -> Result<String, Failure> {
        let deadline = Instant::now() + START_DEADLINE;
        let log = || folder.join("nats-server.log");
        loop {
            let url = ports_files(folder).first().and_then(|path| {
                let ports: Ports = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
                ports.nats.into_iter().next()
            });
            if let Some(url) = url {
                return Ok(url);
            }
            if let Some(status) = self.child.try_wait().map_err(Failure::new)? {
                return Err(Failure(format!(
                    "nats-server ended ({status}); see {}",
                    log().display()
                )));
            }
            if Instant::now() > deadline {
                return Err(Failure(format!(
                    "nats-server does not listen; see {}",
                    log().display()
                )));
            }
            sleep(POLL).await;
        }
    }

    /// Stops the server and waits until its data is on disk.
    pub(crate) async fn stop(mut self) {
        let asked = signal_stop(&self.binary, &self.pid_file).await;
        let ended = tokio::time::timeout(STOP_DEADLINE, self.child.wait()).await;
        if asked.is_err() || ended.is_err() {
            tracing::warn!("nats-server did not stop when asked; it is killed");
        }
    }
}

fn ports_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "ports"))
        .collect()
}

/// Two servers on one store would ruin it.
async fn stop_left_behind(binary: &Binary, pid_file: &Path) -> Result<(), Failure> {
    let Ok(pid) = std::fs::read_to_string(pid_file) else {
        return Ok(());
    };
    let deadline = Instant::now() + STOP_DEADLINE;
    while is_nats_server(pid.trim()).await {
        // Between the look and the signal it may end, and the signal finds nobody.
        let asked = signal_stop(binary, pid_file).await;
        if Instant::now() > deadline {
            asked?;
            return Err(Failure(format!(
                "another nats-server (process {}) uses the folder",
                pid.trim()
            )));
        }
        sleep(POLL).await;
    }
    std::fs::remove_file(pid_file).map_err(Failure::new)
}

/// A process of that number may be somebody else's by now.
async fn is_nats_server(pid: &str) -> bool {
    let found = Command::new("ps").args(["-p", pid, "-o", "comm="]).output().await;
    found.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("nats-server"))
}

async fn signal_stop(binary: &Binary, pid_file: &Path) -> Result<(), Failure> {
    let pid = std::fs::read_to_string(pid_file).map_err(Failure::new)?;
    let asked = Command::new(&binary.program)
        .arg("--signal")
        .arg(format!("stop={}", pid.trim()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .await
        .map_err(Failure::new)?;
    if asked.success() {
        Ok(())
    } else {
        Err(Failure::new("nats-server could not be asked to stop"))
    }
}
