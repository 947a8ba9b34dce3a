//! Counting transcripts by the arm that their turns count for.

use std::collections::BTreeMap;

use proto_schemas::context::{Conclusion, TurnResult};
use proto_schemas::ids::IntegrationId;
use proto_schemas::transcript::Transcript;
use registry::Arm;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Report;

/// What was counted so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    arms: BTreeMap<IntegrationId, Counts>,
    /// Turns that were built when the bot had no split, by the integration that answered or was asked last.
    outside: BTreeMap<IntegrationId, Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    turns: u64,
    answered: u64,
    no_reply: u64,
    failed: u64,
    by_fallback: u64,
    attempts: u64,
    /// How long the integration's own answers took, in milliseconds.
    millis: Vec<u64>,
}

/// How an arm, or an integration outside a split, did.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ArmLine")]
pub struct Line {
    /// The integration.
    pub integration: IntegrationId,
    /// Its weight now; none when it is no arm now.
    pub weight: Option<u32>,
    /// Turns that count for it.
    pub turns: u64,
    /// Its part of all turns of the list, 0 to 1.
    pub share: Option<f64>,
    /// Turns with a reply.
    pub answered: u64,
    /// Turns that were answered by nothing to say.
    pub no_reply: u64,
    /// Turns that were given up.
    pub failed: u64,
    /// Turns with or without a reply that the bot's fallback answered in its place. Not known outside a split.
    pub by_fallback: Option<u64>,
    /// HTTP calls of a turn, those to the fallback included.
    pub mean_attempts: Option<f64>,
    /// How long the integration's own answers took, the last call of each turn only, in milliseconds.
    pub webhook_millis: Option<Percentiles>,
}

/// Exact percentiles, by the nearest rank.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// Half took at most this.
    pub p50: u64,
    /// 95 of 100 took at most this.
    pub p95: u64,
    /// 99 of 100 took at most this.
    pub p99: u64,
}

impl Tally {
    /// Counts a turn.
    pub(super) fn count(&mut self, transcript: &Transcript) {
        let conclusion = &transcript.conclusion;
        // A reply that an operator had sent again was counted before, and a reset asks nobody.
        let Some(asked_last) = conclusion.integration.as_ref().filter(|_| transcript.replay == 0) else {
            return;
        };
        let counts = match &conclusion.arm {
            Some(arm) => self.arms.entry(arm.clone()).or_default(),
            None => self.outside.entry(asked_last.clone()).or_default(),
        };
        counts.count(conclusion, asked_last);
    }

    /// What it comes to, beside the arms that the bot has now, which are listed first.
    pub(super) fn report(mut self, now: &[Arm]) -> Report {
        let total = |counts: &BTreeMap<_, Counts>| counts.values().map(|counts| counts.turns).sum();
        let (turns, turns_outside) = (total(&self.arms), total(&self.outside));
        let present = now.iter().map(|arm| {
            let counts = self.arms.remove(&arm.integration).unwrap_or_default();
            Line {
                weight: Some(arm.weight),
                ..counts.line(arm.integration.clone(), turns)
            }
        });
        let mut arms: Vec<Line> = present.collect();
        arms.extend(lines(self.arms, turns));
        let outside = lines(self.outside, turns_outside).map(|line| Line {
            by_fallback: None,
            ..line
        });
        Report {
            arms,
            outside: outside.collect(),
        }
    }
}

fn lines(counts: BTreeMap<IntegrationId, Counts>, all: u64) -> impl Iterator<Item = Line> {
    counts
        .into_iter()
        .map(move |(integration, counts)| counts.line(integration, all))
}

impl Counts {
    fn count(&mut self, conclusion: &Conclusion, asked_last: &IntegrationId) {
        self.turns += 1;
        self.attempts += u64::from(conclusion.attempts);
        match &conclusion.result {
            TurnResult::Reply { .. } => self.answered += 1,
            TurnResult::NoReply => self.no_reply += 1,
            TurnResult::Failure { .. } => {
                self.failed += 1;
                return;
            }
            TurnResult::Reset { .. } => return,
        }
        match &conclusion.arm {
            Some(arm) if arm != asked_last => self.by_fallback += 1,
            Some(_) | None => self.millis.push(conclusion.webhook_millis),
        }
    }

    fn line(self, integration: IntegrationId, all: u64) -> Line {
        Line {
            integration,
            weight: None,
            turns: self.turns,
            share: ratio(self.turns, all),
            answered: self.answered,
            no_reply: self.no_reply,
            failed: self.failed,
            by_fallback: Some(self.by_fallback),
            mean_attempts: ratio(self.attempts, self.turns),
            webhook_millis: Percentiles::of(self.millis),
        }
    }
}

impl Percentiles {
    fn of(mut values: Vec<u64>) -> Option<Self> {
        values.sort_unstable();
        let rank = |percent: usize| (values.len() * percent).div_ceil(100);
        let at = |percent| values.get(rank(percent).checked_sub(1)?).copied();
        Some(Self {
            p50: at(50)?,
            p95: at(95)?,
            p99: at(99)?,
        })
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests;
