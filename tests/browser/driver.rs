//! chromedriver as a child process, with everything that it starts.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use testkit::condition::{PATIENCE, wait_for};

/// What the driver says when the port that it has chosen is taken: it chooses one that is free by IPv6, and wants it by
/// IPv4, too. That it is started anew then is no second try of a test.
const PORT_IS_TAKEN: &str = "IPv4 port not available";
/// How often it may choose: a port is taken once in hundreds of times.
const MOST_CHOICES: usize = 5;
/// What the driver says of itself when it listens.
const LISTENS: &str = "started successfully on port ";

/// A driver on a free port. Dropped, it is killed with its browsers, also when a test is panicking; then the end of its
/// output is printed.
#[derive(Debug)]
pub(crate) struct Driver {
    process: Child,
    url: String,
    folder: TempDir,
}

impl Driver {
    /// Starts the driver that `CHROMEDRIVER_BIN` names.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub(crate) async fn start() -> Self {
        for _ in 0..MOST_CHOICES {
            if let Some(driver) = Self::started().await {
                return driver;
            }
        }
        panic!("chromedriver has chosen {MOST_CHOICES} ports that are taken");
    }

    /// A driver; none when its port is taken.
    async fn started() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(log(&folder)).unwrap();
        let mut command = Command::new(named("CHROMEDRIVER_BIN"));
        command
            .arg("--port=0")
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        // A group of its own: browsers are started into it, and end with it.
        let process = command.process_group(0).spawn().unwrap();
        let mut driver = Self {
            process,
            url: String::new(),
            folder,
        };
        let port = wait_for(PATIENCE, "chromedriver to listen", async || driver.port()).await?;
        driver.url = format!("http://127.0.0.1:{port}");
        Some(driver)
    }

    /// Where it takes commands.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// A folder that vanishes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The number of the group of its processes.
    pub(crate) fn group(&self) -> u32 {
        self.process.id()
    }

    /// Its port, when it has said it; none in that when the port is taken.
    fn port(&mut self) -> Option<Option<u16>> {
        let ended = self.process.try_wait().unwrap();
        let said = std::fs::read_to_string(log(&self.folder)).unwrap();
        if ended.is_some() && said.contains(PORT_IS_TAKEN) {
            return Some(None);
        }
        assert!(
            ended.is_none(),
            "chromedriver ended ({}):\n{said}",
            ended.unwrap()
        );
        let (_, rest) = said.split_once(LISTENS)?;
        let (port, _) = rest.split_once('.')?;
        port.parse().ok().map(Some)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // No unwrap here: a second panic would abort the whole test process.
        let group = format!("-{}", self.group());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(self.process.wait());
        if std::thread::panicking() {
            let said = std::fs::read_to_string(log(&self.folder)).unwrap_or_default();
            let lines: Vec<&str> = said.lines().rev().take(20).collect();
            eprintln!(
                "---- chromedriver's last lines, newest first ----\n{}",
                lines.join("\n")
            );
        }
    }
}

/// The program that a variable names.
///
/// # Panics
/// When it names none: no test passes without a browser.
pub(crate) fn named(variable: &str) -> OsString {
    std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set: run `make browser`"))
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}
