//! What a run prints, and where it leaves its traces when a promise was broken.

#![expect(
    clippy::print_stdout,
    reason = "the report of a run is printed for who started it"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use proto_schemas::dead_letter::{DeadLetter, Stage};

use crate::checker::{Counts, Violation, check};
use crate::history::{Disturbance, History, What};
use crate::settings::Settings;
use crate::world::Run;

/// Histories that are printed; all are kept.
const PRINTED: usize = 3;

/// Prints how to have the same run again.
pub(crate) fn beginning(settings: &Settings, faults: usize) {
    let duration = humantime::format_duration(settings.duration);
    println!("faults: seed {}, {duration}, {faults} faults", settings.seed);
}

/// Judges a run and prints what it came to.
///
/// # Panics
/// When a promise was broken; then with the whole story of the conversation.
pub(crate) fn end(settings: &Settings, run: Run) {
    let verdict = judge(&run);
    println!("{}", numbers(&run, &verdict));
    if verdict.is_good() {
        return;
    }
    let folder = keep(settings, &run, &verdict);
    for (history, violation) in verdict.violations.iter().take(PRINTED) {
        println!("{}", story(history, violation, &run.disturbances));
    }
    let broken: Vec<String> = verdict
        .violations
        .iter()
        .map(|(_, violation)| violation.to_string())
        .collect();
    panic!(
        "seed {}: {} conversations broke a promise {broken:#?}, besides {:#?}; histories and logs are in {}",
        settings.seed,
        verdict.violations.len(),
        verdict.strangers,
        folder.display()
    );
}

/// What the checker says of a run.
pub(crate) struct Verdict<'a> {
    counts: Counts,
    /// The conversations that broke a promise.
    pub(crate) violations: Vec<(&'a History, Violation)>,
    /// What must not be, and belongs to no conversation.
    pub(crate) strangers: Vec<String>,
}

impl Verdict<'_> {
    /// Whether every promise was kept.
    pub(crate) fn is_good(&self) -> bool {
        self.violations.is_empty() && self.strangers.is_empty()
    }
}

/// Judges every conversation, and what was given up.
pub(crate) fn judge(run: &Run) -> Verdict<'_> {
    let mut verdict = Verdict {
        counts: Counts::default(),
        violations: Vec::new(),
        strangers: run.strangers.clone(),
    };
    for history in &run.histories {
        match check(history, &run.disturbances) {
            Ok(counts) => verdict.counts += counts,
            Err(violation) => verdict.violations.push((history, violation)),
        }
    }
    let expected =
        |letter: &&DeadLetter| letter.stage == Stage::WebhookCaller && letter.class == "client_error";
    let unexpected = run.dead_letters.iter().filter(|letter| !expected(letter));
    for letter in unexpected {
        let DeadLetter {
            stage, class, cause, ..
        } = letter;
        verdict
            .strangers
            .push(format!("a dead letter of {stage:?}, {class}: {cause}"));
    }
    let (letters, told) = (run.dead_letters.len(), verdict.counts.failures);
    if letters != told && verdict.violations.is_empty() {
        verdict
            .strangers
            .push(format!("{letters} dead letters, and {told} failures were told"));
    }
    verdict
}

fn numbers(run: &Run, verdict: &Verdict<'_>) -> String {
    let counts = verdict.counts;
    let again = run.histories.iter().flat_map(|history| &history.events);
    let pushed_again = again
        .filter(|event| matches!(event.what, What::PushedAgain(_)))
        .count();
    let faults = run.disturbances.iter();
    let faults: Vec<String> = faults
        .map(|disturbance| format!("{:?}", disturbance.what))
        .collect();
    let kinds = faults
        .iter()
        .map(|fault| fault.split('(').next().unwrap_or_default());
    let rules: Vec<String> = verdict
        .violations
        .iter()
        .map(|(_, violation)| format!("{:?}", violation.rule))
        .collect();
    format!(
        "faults: {} ({})\n\
         conversations {}, messages {}, pushed again {pushed_again}\n\
         replies {}, failures told {}, resets {}, dead letters {}\n\
         calls of the webhook {}, asked again {}, shown again {}, of it by a send caught in a freeze {}\n\
         answered {:.1} s after the last fault was mended, quiet {:.1} s after the end; broken promises {}{}",
        run.disturbances.len(),
        tally(kinds),
        run.histories.len(),
        counts.messages,
        counts.replies,
        counts.failures,
        counts.resets,
        run.dead_letters.len(),
        counts.calls,
        counts.asked_again,
        counts.shown_again,
        counts.caught,
        recovery(run).as_secs_f64(),
        run.aftermath.as_secs_f64(),
        verdict.violations.len() + verdict.strangers.len(),
        if rules.is_empty() {
            String::new()
        } else {
            format!(" ({})", tally(rules.iter().map(String::as_str)))
        },
    )
}

/// How long it took from the end of the last fault until every message of before was answered.
fn recovery(run: &Run) -> Duration {
    let mended = run.disturbances.iter().map(|disturbance| disturbance.to).max();
    let mended = mended.unwrap_or_default();
    let answered = run.histories.iter().flat_map(History::answers);
    let last = answered
        .filter(|(accepted, _)| *accepted <= mended)
        .map(|(_, shown)| shown)
        .max();
    last.unwrap_or_default().saturating_sub(mended)
}

/// How often each name comes up.
fn tally<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    counts.join(", ")
}

/// A conversation and what was broken meanwhile, in the order of time.
fn story(history: &History, violation: &Violation, disturbances: &[Disturbance]) -> String {
    let mut lines: Vec<(std::time::Duration, String)> = Vec::new();
    lines.extend(history.events.iter().map(|event| (event.at, event.to_string())));
    let (from, to) = (lines.first().map(|line| line.0), lines.last().map(|line| line.0));
    let meanwhile = disturbances
        .iter()
        .filter(|disturbance| Some(disturbance.to) >= from && Some(disturbance.from) <= to);
    lines.extend(meanwhile.map(|disturbance| (disturbance.from, disturbance.to_string())));
    lines.sort_by_key(|line| line.0);
    let mut story = format!("---- {}: {violation}\n", history.chat);
    for (_, line) in lines {
        writeln!(story, "{line}").expect("a string takes everything");
    }
    story
}

/// Keeps the stories of all violations, what was broken when, and the output of every process in a folder.
fn keep(settings: &Settings, run: &Run, verdict: &Verdict<'_>) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("faults-{}", settings.seed));
    fs::create_dir_all(&folder).unwrap();
    let stories = verdict.violations.iter();
    let stories: String = stories
        .map(|(history, violation)| story(history, violation, &run.disturbances))
        .collect();
    fs::write(folder.join("stories.txt"), stories).unwrap();
    let faults = run.disturbances.iter();
    let faults: String = faults.map(|disturbance| format!("{disturbance}\n")).collect();
    fs::write(folder.join("faults.txt"), faults).unwrap();
    for (process, log) in &run.logs {
        fs::write(folder.join(format!("{process}.log")), log).unwrap();
    }
    folder
}
