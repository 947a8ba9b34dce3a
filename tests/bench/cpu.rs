//! What processes have used, as the kernel counts it. Linux only.

use std::fs;

/// `/proc` counts in hundredths of a second on every platform that Linux runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process to watch.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    /// What it is called in reports.
    pub(crate) name: String,
    /// Its identifier.
    pub(crate) pid: u32,
}

impl Watched {
    /// A process under a name.
    pub(crate) fn new(name: &str, pid: u32) -> Self {
        let name = name.to_owned();
        Self { name, pid }
    }
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// In user and kernel mode, over all threads, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Resident now, in bytes.
    pub(crate) rss_bytes: u64,
    /// The most that was ever resident, in bytes.
    pub(crate) peak_rss_bytes: u64,
}

/// Reads what a process has used; nothing for one that has ended.
pub(crate) fn usage(pid: u32) -> Usage {
    let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let (stat, status) = (read("stat"), read("status"));
    Usage {
        cpu_seconds: cpu_seconds(&stat),
        rss_bytes: kibibytes(&status, "VmRSS:"),
        peak_rss_bytes: kibibytes(&status, "VmHWM:"),
    }
}

/// CPU seconds that everything on the machine has used so far.
pub(crate) fn whole_machine() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line
        .split_whitespace()
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    // User, nice, system, idle, waiting for a disk, interrupts of two kinds, stolen by the host.
    let idle = ticks.iter().skip(3).take(2);
    let all = ticks.iter().take(8);
    (all.sum::<f64>() - idle.sum::<f64>()) / TICKS_PER_SECOND
}

/// User and kernel time in a line of `/proc/…/stat`: the 14th and 15th fields; the second is a name in parentheses that may hold spaces.
pub(crate) fn cpu_seconds(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

/// The value of a line of `/proc/…/status`, in bytes.
pub(crate) fn kibibytes(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}
