//! The judge of a conversation. It reads only what the users, the webhook and the chat saw, and depends on
//! nothing of the services.
//!
//! * Every accepted message has one outcome: a reply, its failure told, or the reset that swept it away.
//! * Outcomes come in the order of the messages, all parts of a reply before the next one.
//! * Every call of the webhook is told the whole conversation before its question, each reply that the chat
//!   showed included, and nothing else.
//! * All calls about a turn carry the same `webhook-id`, and no other turn's calls do.
//! * The webhook is asked again after its answer, and a part is shown again, only at once, before anything
//!   else is, and only where something was broken on purpose meanwhile. The repetition is the same to a letter.
//! * One repetition may come later: a send of egress that a freeze caught on its way, for nobody can take it back.
//!   It comes at the end of that freeze, and what it repeats was shown by another replica during it.

mod calls;
mod outcomes;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use proto_schemas::dead_letter::Stage;

use crate::history::{Disturbance, History};
use crate::plan::Fault;

/// How long a disturbance is felt after its end: clients reconnect, and work comes back after `ack_wait`.
const AFTERMATH: Duration = Duration::from_secs(5);

/// How long a process that goes on may take for what it was about to do.
const WAKING: Duration = Duration::from_millis(200);

/// A rule of the checker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// An accepted message has no outcome.
    Lost,
    /// A message has a second outcome.
    SecondOutcome,
    /// Something was shown again after something else had been shown.
    LateRepetition,
    /// An outcome overtook an earlier one.
    Order,
    /// The parts of a reply are not together, or not whole.
    Parts,
    /// The outcome is not one that this message can have.
    Outcome,
    /// A call lacks something that was said before, or is told something that was not.
    Context,
    /// A call does not carry the `webhook-id` of its turn.
    Identity,
    /// Something was repeated although nothing was broken.
    Repetition,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// The rule.
    pub(crate) rule: Rule,
    /// How it was broken.
    pub(crate) what: String,
}

impl Violation {
    fn new(rule: Rule, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { rule, what }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.what)
    }
}

/// What was seen in a conversation, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Messages that were accepted.
    pub(crate) messages: usize,
    /// Replies.
    pub(crate) replies: usize,
    /// Failures that were told.
    pub(crate) failures: usize,
    /// Resets that were confirmed.
    pub(crate) resets: usize,
    /// Calls of the webhook.
    pub(crate) calls: usize,
    /// Calls after one of the same turn that the webhook answered, whether or not the answer arrived.
    pub(crate) asked_again: usize,
    /// Parts that were shown twice.
    pub(crate) shown_again: usize,
    /// Those of them whose send a freeze had caught.
    pub(crate) caught: usize,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.replies += other.replies;
        self.failures += other.failures;
        self.resets += other.resets;
        self.calls += other.calls;
        self.asked_again += other.asked_again;
        self.shown_again += other.shown_again;
        self.caught += other.caught;
    }
}

/// Judges a conversation.
///
/// # Errors
/// The first rule that it breaks.
pub(crate) fn check(history: &History, disturbances: &[Disturbance]) -> Result<Counts, Violation> {
    let outcomes = outcomes::read(history, disturbances)?;
    let calls = calls::check(history, &outcomes.turns, disturbances)?;
    let mut counts = Counts {
        messages: history.messages().len(),
        shown_again: outcomes.shown_again,
        caught: outcomes.caught,
        calls: calls.calls,
        asked_again: calls.asked_again,
        ..Counts::default()
    };
    for turn in &outcomes.turns {
        match turn.end {
            outcomes::End::Reply(_) => counts.replies += 1,
            outcomes::End::Failure => counts.failures += 1,
            outcomes::End::Reset => counts.resets += 1,
        }
    }
    Ok(counts)
}

/// Whether something was broken on purpose between two moments, or shortly before.
fn disturbed(disturbances: &[Disturbance], from: Duration, to: Duration) -> bool {
    disturbances
        .iter()
        .any(|disturbance| disturbance.from <= to && disturbance.to.saturating_add(AFTERMATH) >= from)
}

/// Whether a freeze of egress may have caught the send of what is shown `at`, after another replica had shown it.
fn caught(disturbances: &[Disturbance], shown: Duration, at: Duration) -> bool {
    disturbances.iter().any(|freeze| {
        matches!(freeze.what, Fault::Freeze(Stage::Egress, _))
            && (freeze.from..=freeze.to).contains(&shown)
            && at.abs_diff(freeze.to) <= WAKING
    })
}
