//! A real nats-server as a child process, with JetStream in a folder of its own.

mod binary;
mod cluster;
mod request;

pub use binary::locate;
pub use cluster::NatsCluster;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::child::Child;
use crate::condition::{PATIENCE, wait_for, wait_until};

/// Ports to listen on: below the range of outgoing connections (32768 and up), because a port of that range
/// may be taken by a stranger, or by a client connecting to itself, while the server is down.
const FIRST_PORT: u16 = 20_000;
const PORTS: u16 = 12_000;
/// Ports tried before we give up: neighbours may take one between our look and the server's start.
const MAX_STARTS: usize = 20;

/// A nats-server. Dropped, it is killed and its folder removed; if a test is panicking, its log is printed.
#[derive(Debug)]
pub struct NatsServer {
    // Before the folder: the process must be gone when the folder is removed.
    child: Child,
    binary: PathBuf,
    port: u16,
    url: String,
    folder: TempDir,
}

enum Start {
    Ready,
    Ended,
}

impl NatsServer {
    /// Starts a server on a free port and waits until it takes connections.
    ///
    /// # Panics
    /// When there is no nats-server of at least 2.12 (`make tools` brings one), or it does not start.
    pub async fn start() -> Self {
        Self::start_binary(binary::locate(), "").await
    }

    /// As [`NatsServer::start`], with the text of a configuration file that names neither addresses nor folders.
    ///
    /// # Panics
    /// As [`NatsServer::start`], and when the server refuses the configuration.
    pub async fn start_with(configuration: &str) -> Self {
        Self::start_binary(binary::locate(), configuration).await
    }

    async fn start_binary(binary: PathBuf, configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(configuration_file(&folder), configuration).unwrap();
        for _ in 0..MAX_STARTS {
            let port = free_port();
            let child = launch(&binary, &folder, port);
            match started(&child, &folder, port).await {
                Start::Ready => {
                    let url = format!("nats://127.0.0.1:{port}");
                    return Self {
                        child,
                        binary,
                        port,
                        url,
                        folder,
                    };
                }
                Start::Ended => assert!(child.log().contains("address already in use"), "{}", child.log()),
            }
        }
        panic!("no port between {FIRST_PORT} and {} is free", FIRST_PORT + PORTS);
    }

    /// `nats://127.0.0.1:port`; stays the same over restarts.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens, as [`NatsServer::url`] says.
    pub fn address(&self) -> SocketAddr {
        let address = self.url.strip_prefix("nats://").unwrap();
        address.parse().unwrap()
    }

    /// The identifier of its process; another one after a restart.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the server logged so far, over all starts.
    pub fn log(&self) -> String {
        self.child.log()
    }

    /// Ends the server at once (SIGKILL), as a node that is lost.
    pub fn kill(&self) {
        self.child.kill();
    }

    /// Ends the server as an operator does (SIGTERM), and waits for its end.
    pub async fn stop(&self) {
        self.child.signal("TERM");
        self.child.ended(PATIENCE).await;
    }

    /// Starts the server again, on the same data and port; kills it first if it runs.
    pub async fn restart(&mut self) {
        self.child.kill();
        self.child = launch(&self.binary, &self.folder, self.port);
        match started(&self.child, &self.folder, self.port).await {
            Start::Ready => {}
            Start::Ended => panic!("nats-server does not start again: {}", self.child.log()),
        }
    }

    /// Gives the server another configuration while it runs (SIGHUP), and waits until it has read it.
    ///
    /// # Panics
    /// When it refuses.
    pub async fn reload(&self, configuration: &str) {
        let reloads = || self.log().matches("Reloaded server configuration").count();
        let before = reloads();
        std::fs::write(configuration_file(&self.folder), configuration).unwrap();
        self.child.signal("HUP");
        wait_until(PATIENCE, "nats-server to have reloaded", async || {
            reloads() > before
        })
        .await;
    }

    /// Freezes the server (SIGSTOP): connections stay open and nothing answers.
    pub async fn pause(&self) {
        self.child.pause().await;
    }

    /// Lets a frozen server go on (SIGCONT).
    pub fn resume(&self) {
        self.child.resume();
    }
}

fn launch(binary: &Path, folder: &TempDir, port: u16) -> Child {
    let mut command = Command::new(binary);
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js"]);
    command.arg("-sd").arg(folder.path().join("store"));
    command.arg("-c").arg(configuration_file(folder));
    command.arg("--ports_file_dir").arg(folder.path());
    Child::spawn("nats-server", command, &folder.path().join("log"))
}

fn configuration_file(folder: &TempDir) -> PathBuf {
    folder.path().join("nats.conf")
}

/// The ports file shows that *our* process listens, the greeting that it serves.
async fn started(child: &Child, folder: &TempDir, port: u16) -> Start {
    let suffix = format!("_{}.ports", child.id());
    wait_for(PATIENCE, "nats-server to take connections", async || {
        if child.exit_status().is_some() {
            return Some(Start::Ended);
        }
        let mut entries = std::fs::read_dir(folder.path()).unwrap();
        let listens = entries.any(|entry| entry.unwrap().file_name().to_string_lossy().ends_with(&suffix));
        (listens && greets(port).await).then_some(Start::Ready)
    })
    .await
}

async fn greets(port: u16) -> bool {
    let mut greeting = [0; 6];
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        Ok(mut stream) => stream.read_exact(&mut greeting).await.is_ok() && &greeting == b"INFO {",
        Err(_) => false,
    }
}

/// Test processes begin at different places, so that they rarely look at the same port.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id().wrapping_mul(97) % u32::from(PORTS);
    (0..PORTS)
        .map(|_| NEXT.fetch_add(1, Ordering::Relaxed) % PORTS)
        .map(|step| FIRST_PORT + (u16::try_from(begin).unwrap() + step) % PORTS)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("some port is free")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A server that says `message` and ends.
    fn failing_server(folder: &TempDir, message: &str) -> PathBuf {
        let binary = folder.path().join("failing-server");
        std::fs::write(&binary, format!("#!/bin/sh\necho {message}\nexit 1\n")).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        binary
    }

    #[tokio::test]
    #[should_panic(expected = "no port between")]
    async fn the_search_for_a_port_ends() {
        let folder = tempfile::tempdir().unwrap();
        NatsServer::start_binary(failing_server(&folder, "bind: address already in use"), "").await;
    }

    #[tokio::test]
    #[should_panic(expected = "no space left")]
    async fn a_server_that_fails_otherwise_is_not_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        NatsServer::start_binary(failing_server(&folder, "no space left"), "").await;
    }
}
