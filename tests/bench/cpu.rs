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

/// The 14th and 15th fields; the second is a name in parentheses that may hold spaces.
fn cpu_seconds(stat: &str) -> f64 {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = after_name.split_whitespace().skip(11).take(2);
    ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / TICKS_PER_SECOND
}

fn kibibytes(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let stat = "12 (a (b) c) S 1 12 12 0 -1 4194560 100 0 0 0 150 50 7 7 20 0 4 0 100";
        assert_eq!(cpu_seconds(stat), 2.0);
        assert_eq!(cpu_seconds(""), 0.0);
    }

    #[test]
    fn sizes_are_read_in_bytes() {
        let status = "Name:\tnats\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let sizes = ["VmHWM:", "VmRSS:", "VmSwap:"].map(|key| kibibytes(status, key));
        assert_eq!(sizes, [2 << 20, 1 << 20, 0]);
    }

    #[test]
    fn this_process_uses_memory_and_is_part_of_the_machine() {
        let own = usage(std::process::id());
        assert!(own.rss_bytes > 0 && own.peak_rss_bytes >= own.rss_bytes);
        assert!(whole_machine() >= own.cpu_seconds);
    }
}
