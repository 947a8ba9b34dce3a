//! One of the real binaries as a child process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;

use tempfile::TempDir;

use crate::child::Child;
pub use crate::child::Namespace;
use crate::client::client;
use crate::condition::{PATIENCE, wait_for, wait_until};

/// Variable that tells a binary where to write the addresses it has bound: a JSON object of names and
/// `ip:port`, as `{"admin":"127.0.0.1:41234"}`, renamed into place.
pub const ADDRESS_FILE: &str = "ADDRESS_FILE";

/// A running binary. Dropped, it is killed; if a test is panicking, its output is printed.
#[derive(Debug)]
pub struct Service {
    // Before the folder: the process must be gone when the folder is removed.
    child: Child,
    name: String,
    env: Vec<(String, String)>,
    namespace: Namespace,
    folder: TempDir,
}

impl Service {
    /// Starts the binary `name`, built beside the running test, with `env` as its whole environment (and
    /// `PATH`), and waits until it has bound its addresses.
    ///
    /// # Panics
    /// When it is not built, or ends instead; then its output is part of the message.
    pub async fn start(name: &str, env: &[(&str, String)]) -> Self {
        Self::start_in(Namespace::Shared, name, env).await
    }

    /// As [`Service::start`], in a namespace.
    ///
    /// # Panics
    /// As there.
    pub async fn start_in(namespace: Namespace, name: &str, env: &[(&str, String)]) -> Self {
        let service = Self::spawn_in(namespace, name, env);
        service.addresses().await;
        service
    }

    /// As [`Service::start`], but waits for nothing: for a binary that is to refuse its configuration.
    ///
    /// # Panics
    /// When it is not built.
    pub fn spawn(name: &str, env: &[(&str, String)]) -> Self {
        Self::spawn_in(Namespace::Shared, name, env)
    }

    fn spawn_in(namespace: Namespace, name: &str, env: &[(&str, String)]) -> Self {
        let env: Vec<_> = env
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let child = launch(namespace, name, &env, &folder);
        Self {
            child,
            name: name.to_owned(),
            env,
            namespace,
            folder,
        }
    }

    /// The address that the binary bound under `name` (`admin`, `http`). Free ports differ after a restart.
    ///
    /// # Panics
    /// When the binary binds none of that name, or ends instead.
    pub async fn address(&self, name: &str) -> SocketAddr {
        let addresses = self.addresses().await;
        *addresses
            .get(name)
            .unwrap_or_else(|| panic!("{} has no address {name:?}", self.name))
    }

    /// The address that the binary has bound under `name` since its last start; none if it has not yet.
    pub fn address_now(&self, name: &str) -> Option<SocketAddr> {
        bound_addresses(&self.folder)?.remove(name)
    }

    /// Waits until the admin address answers `/readyz` with 200.
    ///
    /// # Panics
    /// When it does not in time, or the binary ends.
    pub async fn ready(&self) {
        let url = format!("http://{}/readyz", self.address("admin").await);
        wait_until(PATIENCE, &format!("{} to be ready", self.name), async || {
            self.assert_running();
            client()
                .get(&url)
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
    }

    /// Whether `/readyz` answers 200 now.
    pub async fn is_ready(&self) -> bool {
        let url = format!("http://{}/readyz", self.address("admin").await);
        client()
            .get(url)
            .send()
            .await
            .is_ok_and(|answer| answer.status() == 200)
    }

    /// The identifier of its process; another one after a restart.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(&self) {
        self.child.kill();
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub async fn terminate(&self) -> ExitStatus {
        self.child.signal("TERM");
        self.ended().await
    }

    /// Waits for its end and says how it ended.
    pub async fn ended(&self) -> ExitStatus {
        self.child.ended(PATIENCE).await
    }

    /// How it ended; none while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.child.exit_status()
    }

    /// Starts it again with the same environment and waits until it has bound its addresses; kills it first if
    /// it runs.
    pub async fn restart(&mut self) {
        self.relaunch();
        self.addresses().await;
    }

    /// As [`Service::restart`], but waits for nothing: what it needs may be away.
    pub fn relaunch(&mut self) {
        self.child.kill();
        self.child = launch(self.namespace, &self.name, &self.env, &self.folder);
    }

    /// Freezes it (SIGSTOP), as a pause longer than any lease.
    pub async fn pause(&self) {
        self.child.pause().await;
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.child.resume();
    }

    /// What it wrote so far, over all starts.
    pub fn logs(&self) -> String {
        self.child.log()
    }

    async fn addresses(&self) -> BTreeMap<String, SocketAddr> {
        wait_for(PATIENCE, &format!("the addresses of {}", self.name), async || {
            let bound = bound_addresses(&self.folder);
            if bound.is_none() {
                self.assert_running();
            }
            bound
        })
        .await
    }

    fn assert_running(&self) {
        let ended = self.child.exit_status();
        assert!(
            ended.is_none(),
            "{} ended ({}):\n{}",
            self.name,
            ended.unwrap(),
            self.logs()
        );
    }
}

fn launch(namespace: Namespace, name: &str, env: &[(String, String)], folder: &TempDir) -> Child {
    let addresses = address_file(folder);
    // A start must not be taken for bound by the addresses of the one before.
    if addresses.exists() {
        std::fs::remove_file(&addresses).unwrap();
    }
    let mut command = namespace.command(&binary(name));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env(ADDRESS_FILE, addresses).envs(env.iter().cloned());
    Child::spawn_in(namespace, name, command, &folder.path().join("log"))
}

/// What a binary wrote into its address file; none if there is none yet.
fn bound_addresses(folder: &TempDir) -> Option<BTreeMap<String, SocketAddr>> {
    let text = std::fs::read(address_file(folder)).ok()?;
    let addresses: BTreeMap<String, String> = serde_json::from_slice(&text).unwrap();
    let parsed = addresses.into_iter();
    Some(
        parsed
            .map(|(name, address)| (name, address.parse().unwrap()))
            .collect(),
    )
}

fn address_file(folder: &TempDir) -> PathBuf {
    folder.path().join("addresses.json")
}

/// Where a binary of the workspace is. Test executables lie in `deps/`, binaries one folder up, wherever the target
/// folder is.
///
/// # Panics
/// When it is not built.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().unwrap().parent().unwrap();
    let binary = folder.join(name);
    assert!(
        binary.exists(),
        "{name} is not built: cargo build --workspace --bins"
    );
    binary
}
