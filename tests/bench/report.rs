//! What is printed and what is written: a table for people, JSON for machines.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;
use serde_json::{Value, json};

use crate::run::Run;

/// So many cores busy elsewhere are worth a line: figures of such a run say little.
const DISTURBED: f64 = 0.1;

/// A window that is so many times as long as planned says little, too.
const STOOD_STILL: f64 = 1.2;

/// Writes a line for who waits.
#[expect(clippy::print_stdout, reason = "a benchmark's output is its purpose")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// The head of the table of runs.
pub(crate) fn say_head(title: &str) {
    say(&format!("\n{title}"));
    say("  chain     turns/s    p50 ms    p90 ms    p99 ms    CPU s per 1,000 turns");
}

/// One run in a line, and what its processes used below it.
pub(crate) fn say_run(run: &Run) {
    let latency = run.added_latency_ms;
    say(&format!(
        "  {:<9} {:>7.0} {:>9.2} {:>9.2} {:>9.2}    {:.3}",
        run.chain,
        run.turns_per_second,
        latency.p50,
        latency.p90,
        latency.p99,
        run.cpu_seconds_per_1000_turns
    ));
    let broker = run.broker_per_turn;
    say(&format!(
        "            broker, per turn: {:.1} messages in, {:.1} out; {:.1} KiB in, {:.1} KiB out",
        broker.messages_in, broker.messages_out, broker.kib_in, broker.kib_out
    ));
    for (consumer, growth) in &run.backlog_growth {
        if *growth > 0 {
            say(&format!("            left undone: {growth} more at {consumer}"));
        }
    }
    if run.surplus_replies > 0 {
        say(&format!(
            "            replies that nobody waited for: {}",
            run.surplus_replies
        ));
    }
    if run.seconds > run.planned_seconds * STOOD_STILL {
        say(&format!(
            "            disturbed: the machine stood still, the window took {:.0} s instead of {:.0} s",
            run.seconds, run.planned_seconds
        ));
    }
    if run.cores_busy_elsewhere > DISTURBED {
        say(&format!(
            "            disturbed: {:.1} cores were busy with something else",
            run.cores_busy_elsewhere
        ));
    }
    for process in &run.processes {
        say(&format!(
            "            {:<20} {:>6.3} CPU s per 1,000 turns {:>7.1} MiB now {:>7.1} MiB at most",
            process.name, process.cpu_seconds_per_1000_turns, process.rss_mib, process.peak_rss_mib
        ));
    }
}

/// The one in the middle; the lower of two.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or(0.0)
}

/// Writes the results of a scenario, and says where.
///
/// # Errors
/// The system's, in words, when the file cannot be written.
pub(crate) fn write(scenario: &str, settings: &Value, results: &impl Serialize) -> Result<(), String> {
    store(scenario, settings, results)
        .map_err(|error| format!("the results of {scenario} cannot be written: {error}"))
}

fn store(scenario: &str, settings: &Value, results: &impl Serialize) -> std::io::Result<()> {
    let folder = target().join("bench");
    std::fs::create_dir_all(&folder)?;
    let report = json!({
        "scenario": scenario,
        "date": output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
        "commit": output("git", &["describe", "--always", "--dirty", "--exclude=*"]),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": output("uname", &["-sr"]),
        "nats_server": output(&testkit::nats::locate().to_string_lossy(), &["--version"]),
        "settings": settings,
        "results": serde_json::to_value(results)?,
    });
    let file = folder.join(format!("{scenario}.json"));
    std::fs::write(&file, format!("{report:#}\n"))?;
    say(&format!("\n{}", relative(&file).display()));
    Ok(())
}

/// The folder that cargo builds in: this executable lies in `release/deps` of it.
pub(crate) fn target() -> PathBuf {
    let executable = std::env::current_exe().unwrap_or_default();
    executable
        .ancestors()
        .nth(3)
        .map(Path::to_owned)
        .unwrap_or_default()
}

fn relative(file: &Path) -> PathBuf {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new(""));
    file.strip_prefix(project).unwrap_or(file).to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
