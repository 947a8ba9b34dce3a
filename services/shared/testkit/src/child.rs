//! A child process with its output in a file.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use crate::condition::{PATIENCE, wait_for, wait_until};

/// How much of the output a failed test prints: the end says why.
const TAIL_BYTES: usize = 32 * 1024;

/// A running process. Dropped, it is killed and gone before the drop returns; if a test is panicking, the end
/// of its output is printed.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    process: Mutex<std::process::Child>,
    namespace: Namespace,
    log: PathBuf,
}

/// Which processes a process sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// All of the machine's.
    Shared,
    /// Its own alone, in which it is the first, as in a container: signals without a handler do not end it, and
    /// nobody collects its children but itself.
    Own,
}

impl Namespace {
    /// One of its own, if this machine lets us make such.
    pub fn own_if_allowed() -> Self {
        let mut command = Self::Own.command(Path::new("true"));
        let made = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        if made.is_ok_and(|status| status.success()) {
            Self::Own
        } else {
            Self::Shared
        }
    }

    /// What starts a program in it.
    pub(crate) fn command(self, program: &Path) -> Command {
        match self {
            Self::Shared => Command::new(program),
            Self::Own => {
                let mut command = Command::new("unshare");
                command.args(["--map-root-user", "--pid", "--fork", "--kill-child", "--"]);
                command.arg(program);
                command
            }
        }
    }
}

impl Child {
    /// Starts `command`. Its output is added to `log`, so that the file tells of every start.
    pub(crate) fn spawn(name: &str, command: Command, log: &Path) -> Self {
        Self::spawn_in(Namespace::Shared, name, command, log)
    }

    /// The same for what [`Namespace::command`] made.
    pub(crate) fn spawn_in(namespace: Namespace, name: &str, mut command: Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let process = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name: name.to_owned(),
            process: Mutex::new(process),
            namespace,
            log: log.to_owned(),
        }
    }

    /// The process's identifier, as it is seen from here.
    pub(crate) fn id(&self) -> u32 {
        let id = self.process.lock().unwrap().id();
        match self.namespace {
            Namespace::Shared => id,
            Namespace::Own => only_child(id).unwrap_or(id),
        }
    }

    /// How it ended; none while it runs.
    pub(crate) fn exit_status(&self) -> Option<ExitStatus> {
        self.process.lock().unwrap().try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self, deadline: Duration) -> ExitStatus {
        wait_for(deadline, &format!("the end of {}", self.name), async || {
            self.exit_status()
        })
        .await
    }

    /// Ends it at once (SIGKILL), also when it is paused.
    pub(crate) fn kill(&self) -> ExitStatus {
        let mut process = self.process.lock().unwrap();
        end(self.namespace, &mut process).unwrap();
        process.wait().unwrap()
    }

    /// Sends a signal, as `TERM`. Does nothing when the process has ended.
    pub(crate) fn signal(&self, signal: &str) {
        if self.exit_status().is_some() {
            return;
        }
        let sent = send(signal, self.id());
        assert!(
            sent.unwrap().success(),
            "{} cannot be sent SIG{signal}",
            self.name
        );
    }

    /// Freezes it (SIGSTOP). The signal takes effect thread by thread and after the call that sends it, hence
    /// the wait.
    pub(crate) async fn pause(&self) {
        self.signal("STOP");
        let what = format!("{} to stand still", self.name);
        wait_until(PATIENCE, &what, async || is_stopped(self.id())).await;
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// What it wrote so far, over all starts.
    pub(crate) fn log(&self) -> String {
        match std::fs::read(&self.log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => panic!("the output of {} cannot be read: {error}", self.name),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // No unwrap here: a second panic would abort the whole test process.
        if let Ok(process) = self.process.get_mut() {
            drop(end(self.namespace, process));
            drop(process.wait());
        }
        if std::thread::panicking() {
            let output = std::fs::read(&self.log).unwrap_or_default();
            eprintln!(
                "---- output of {} ----\n{}",
                self.name,
                String::from_utf8_lossy(tail(&output))
            );
        }
    }
}

/// Sends SIGKILL: to the first process of a namespace of its own, whose end `unshare` waits for. It may have ended by
/// itself.
fn end(namespace: Namespace, process: &mut std::process::Child) -> std::io::Result<()> {
    match (namespace, only_child(process.id())) {
        (Namespace::Own, Some(id)) => send("KILL", id).map(drop),
        (Namespace::Own | Namespace::Shared, _) => process.kill(),
    }
}

fn send(signal: &str, id: u32) -> std::io::Result<ExitStatus> {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{signal}")).arg(id.to_string()).status()
}

/// The process that `unshare` has started; none when there is none (yet, or any more).
fn only_child(id: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
    children.trim_end().parse().ok()
}

fn tail(output: &[u8]) -> &[u8] {
    &output[output.len().saturating_sub(TAIL_BYTES)..]
}

/// Whether every thread of the process has stopped.
fn is_stopped(id: u32) -> bool {
    match std::fs::read_dir(format!("/proc/{id}/task")) {
        Ok(threads) => threads
            .flatten()
            .all(|thread| thread_state(&thread.path().join("stat")) == Some('T')),
        // No Linux: the process as a whole has to do.
        Err(_) => {
            let state = Command::new("ps")
                .args(["-o", "state=", "-p", &id.to_string()])
                .output();
            state.is_ok_and(|state| state.stdout.starts_with(b"T"))
        }
    }
}

/// Reads `12 (a name) T …`; none when the thread is gone.
fn thread_state(stat: &Path) -> Option<char> {
    let stat = std::fs::read_to_string(stat).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.chars().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, log: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::spawn("sh", command, log)
    }

    fn is_alive(id: u32) -> bool {
        Command::new("kill")
            .args(["-0", &id.to_string()])
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    #[test]
    fn of_a_long_output_the_end_is_printed() {
        let output: Vec<u8> = [vec![b'a'; 10], vec![b'b'; TAIL_BYTES]].concat();
        assert_eq!(tail(&output), &output[10..]);
        assert_eq!(tail(b"short"), b"short");
    }

    #[tokio::test]
    async fn the_file_keeps_the_output_of_every_start() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        for word in ["one", "two"] {
            let child = shell(&format!("echo {word}; echo {word} >&2"), &log);
            assert!(child.ended(Duration::from_secs(10)).await.success());
        }
        assert_eq!(std::fs::read_to_string(log).unwrap(), "one\none\ntwo\ntwo\n");
    }

    #[tokio::test]
    async fn a_dropped_child_is_gone_even_if_it_was_paused() {
        let folder = tempfile::tempdir().unwrap();
        let child = shell("exec sleep 600", &folder.path().join("log"));
        let id = child.id();
        child.pause().await;
        assert!(is_alive(id));
        drop(child);
        assert!(!is_alive(id));
    }
}
