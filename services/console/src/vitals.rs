//! How the pipeline did in the last minutes, as far as this replica has looked.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::Bus;
use operations::overview::{self, Overview};
use proto_schemas::dead_letter::Stage;
use tokio::time::MissedTickBehavior;

/// How often it is looked: each time costs some twenty small requests of the broker.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);
/// How many looks are kept: ten minutes.
const KEPT: usize = 120;

/// The last looks, oldest first.
#[derive(Clone, Default)]
pub(crate) struct Vitals(Arc<Mutex<VecDeque<Overview>>>);

impl Vitals {
    /// Looks again and again.
    pub(crate) async fn watch(self, bus: Bus) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match overview::look(&bus).await {
                Ok(look) => self.keep(look),
                // The page says how old its last look is. That the broker is away is told where it is lost.
                Err(error) => tracing::debug!(%error, "the pipeline cannot be looked at"),
            }
        }
    }

    /// The looks, oldest first.
    pub(crate) fn looks(&self) -> Vec<Overview> {
        self.kept().iter().cloned().collect()
    }

    fn keep(&self, look: Overview) {
        let mut kept = self.kept();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(look);
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Overview>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turns finished in a second between each two looks.
pub(crate) fn turns_per_second(looks: &[Overview]) -> Vec<f64> {
    let between = |pair: &[Overview]| {
        let [before, after] = pair else { return 0.0 };
        let turns = after.turns_finished.saturating_sub(before.turns_finished);
        let time = after.at.since(before.at).as_secs_f64();
        if time > 0.0 { number(turns) / time } else { 0.0 }
    };
    looks.windows(2).map(between).collect()
}

/// What waited at a stage or was in its work, at each look.
pub(crate) fn backlog(looks: &[Overview], stage: Stage) -> Vec<f64> {
    looks.iter().map(|look| number(backlog_of(look, stage))).collect()
}

/// What waits at a stage or is in its work.
pub(crate) fn backlog_of(look: &Overview, stage: Stage) -> u64 {
    let of_stage = look.waiting.iter().filter(|waiting| waiting.stage == stage);
    of_stage.map(|waiting| waiting.pending + waiting.in_work).sum()
}

/// For how long the oldest work of a stage has waited; none when nothing waits.
pub(crate) fn age_of(look: &Overview, stage: Stage) -> Option<Duration> {
    let of_stage = look.waiting.iter().filter(|waiting| waiting.stage == stage);
    let oldest = of_stage.filter_map(|waiting| waiting.oldest).min();
    oldest.map(|oldest| look.at.since(oldest))
}

/// For how long the oldest work of all stages had waited, in seconds, at each look.
pub(crate) fn ages(looks: &[Overview]) -> Vec<f64> {
    let oldest = |look: &Overview| {
        let ages = Stage::ALL.iter().filter_map(|stage| age_of(look, *stage));
        ages.max().unwrap_or_default().as_secs_f64()
    };
    looks.iter().map(oldest).collect()
}

/// An amount as a chart takes it.
pub(crate) fn number(amount: u64) -> f64 {
    f64::from(u32::try_from(amount).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use operations::overview::Waiting;
    use proto_schemas::ids::UnixMillis;

    use super::*;

    fn look(at: u64, turns_finished: u64, oldest: Option<u64>) -> Overview {
        let waiting = |stage, pending, oldest: Option<u64>| Waiting {
            stage,
            stream: "S".to_owned(),
            pending,
            in_work: 1,
            redelivered: 0,
            oldest: oldest.map(UnixMillis),
        };
        Overview {
            at: UnixMillis(at),
            waiting: vec![
                waiting(Stage::ContextBuilder, 2, oldest),
                waiting(Stage::ContextBuilder, 3, None),
                waiting(Stage::Egress, 0, None),
            ],
            dead_letters: 0,
            turns_finished,
            breakers: Vec::new(),
            has_more_breakers: false,
        }
    }

    #[test]
    fn turns_are_counted_by_the_brokers_clock_and_never_below_zero() {
        let looks = [
            look(0, 10, None),
            look(5_000, 60, None),
            look(5_000, 70, None),
            look(9_000, 1, None),
        ];
        assert_eq!(turns_per_second(&looks), [10.0, 0.0, 0.0]);
        assert_eq!(turns_per_second(&looks[..1]), [0.0; 0]);
    }

    #[test]
    fn what_a_stage_has_to_do_is_all_of_its_streams() {
        let look = look(5_000, 0, Some(2_000));
        assert_eq!(backlog_of(&look, Stage::ContextBuilder), 7);
        assert_eq!(age_of(&look, Stage::ContextBuilder), Some(Duration::from_secs(3)));
        assert_eq!(age_of(&look, Stage::Egress), None);
        assert_eq!(ages(&[look]), [3.0]);
    }

    #[test]
    fn no_more_looks_are_kept_than_there_is_place_for() {
        let vitals = Vitals::default();
        for at in 0..=KEPT {
            vitals.keep(look(u64::try_from(at).unwrap(), 0, None));
        }
        let looks = vitals.looks();
        assert_eq!((looks.len(), looks[0].at), (KEPT, UnixMillis(1)));
    }
}
