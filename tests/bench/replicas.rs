//! Replicas of webhook-caller whose wall clocks differ, as those of machines do.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use testkit::process::Service;

use crate::report::{say, target};

/// By how much the clock of each replica is ahead of the one before.
pub(crate) const SKEW: Duration = Duration::from_millis(200);

/// Replicas that share one broker.
pub(crate) struct Replicas {
    nats_url: String,
    /// What sets a clock forward; none where it cannot be built.
    shim: Option<PathBuf>,
    started: u32,
    pub(crate) running: Vec<Service>,
}

impl Replicas {
    /// Starts so many.
    pub(crate) async fn start(nats_url: &str, count: usize) -> Self {
        let mut replicas = Self {
            nats_url: nats_url.to_owned(),
            shim: build_shim(),
            started: 0,
            running: Vec::new(),
        };
        for _ in 0..count {
            replicas.add().await;
        }
        replicas
    }

    /// Starts one more.
    pub(crate) async fn add(&mut self) {
        let mut env = vec![
            ("NATS_URL", self.nats_url.clone()),
            ("ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("OUTBOUND_ALLOW", "127.0.0.1".to_owned()),
            ("ATTACHMENTS_SECRET", "env:ATTACHMENTS_SIGNING_KEY".to_owned()),
            (
                "ATTACHMENTS_SIGNING_KEY",
                "attachments-signing-key-of-the-bench".to_owned(),
            ),
        ];
        if let Some(shim) = &self.shim {
            let skew = SKEW * self.started;
            env.push(("LD_PRELOAD", shim.display().to_string()));
            env.push(("CLOCK_SKEW_MS", skew.as_millis().to_string()));
        }
        self.started += 1;
        let service = Service::start("webhook-caller", &env).await;
        service.ready().await;
        self.running.push(service);
    }

    /// Whether their clocks differ.
    pub(crate) fn are_skewed(&self) -> bool {
        self.shim.is_some()
    }

    /// The sum of a counter over all that run.
    pub(crate) async fn sum(&self, series: &str) -> u64 {
        let mut sum = 0;
        for replica in &self.running {
            let url = format!("http://{}/metrics", replica.address("admin").await);
            let scraped = async { reqwest::get(url).await?.text().await };
            let text = scraped.await.unwrap_or_default();
            let value = text.lines().find_map(|line| line.strip_prefix(series));
            sum += value
                .and_then(|value| value.trim().parse::<u64>().ok())
                .unwrap_or(0);
        }
        sum
    }
}

/// Builds what sets clocks forward with the C compiler that Rust links with.
fn build_shim() -> Option<PathBuf> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/clock_skew.c");
    let library = target().join("bench").join("clock_skew.so");
    let built = std::fs::create_dir_all(library.parent()?).is_ok()
        && cfg!(target_os = "linux")
        && Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(&library)
            .arg(source)
            .status()
            .is_ok_and(|status| status.success());
    if !built {
        say("  the clocks of the replicas cannot be set here: they agree");
    }
    built.then_some(library)
}
