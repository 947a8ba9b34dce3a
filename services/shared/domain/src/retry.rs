//! When to try again, and when to give up.
//!
//! The growth of the delays comes from the crate `backoff`. It is no longer maintained, so this module is the
//! only one that names it, and uses its arithmetic alone: its randomness is switched off, its clock stands
//! still, its retry loops are not used. The caller hands in the random number and gives the delay to the
//! broker with the nak, so nothing sleeps.

use std::time::{Duration, Instant};

use backoff::Clock;
use backoff::backoff::Backoff;
use backoff::exponential::ExponentialBackoff;

/// The delay after the first failure: most hiccups of a backend are over by then.
pub const FIRST_DELAY: Duration = Duration::from_secs(1);
/// How much longer each further delay is.
pub const GROWTH: f64 = 2.0;
/// The longest delay of our own: after an outage, work starts again within a minute.
pub const MAX_DELAY: Duration = Duration::from_secs(60);
/// The part of a delay that is left to chance, downwards, so that what failed together does not return together.
pub const JITTER: f64 = 0.2;
/// The longest delay that a peer may ask for, as by `Retry-After`: no header parks a conversation for days.
pub const MAX_PEER_DELAY: Duration = Duration::from_secs(60 * 60);

/// How long an integration is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// At least so many calls.
    pub attempts: u32,
    /// At least so long since the first.
    pub max_age: Duration,
}

/// What follows on a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// Try again after this delay.
    RetryAfter(Duration),
    /// The budget is used up.
    GiveUp,
}

/// Decides after `failed_attempts`, the first of which began `first_attempt_age` ago. Gives up only when both
/// attempts and age are used up, so a short outage does not kill every message. Waits at least as long as the
/// peer asks for, up to [`MAX_PEER_DELAY`]. `random` is from 0 to 1.
pub fn next_step(
    budget: &Budget,
    failed_attempts: u32,
    first_attempt_age: Duration,
    peer_delay: Option<Duration>,
    random: f64,
) -> NextStep {
    if failed_attempts >= budget.attempts && first_attempt_age >= budget.max_age {
        return NextStep::GiveUp;
    }
    let asked_for = peer_delay.unwrap_or_default().min(MAX_PEER_DELAY);
    NextStep::RetryAfter(delay(failed_attempts, random).max(asked_for))
}

/// The delay before work of some age that was delivered `delivered` times comes again. For what is not the work's fault:
/// a slot that is taken, a transient error of ours. `random` is from 0 to 1.
///
/// Never much longer than the work is old: what was delivered often in a short time was not put off by these delays, which
/// double, but by short ones, as while the broker chooses a leader, and would now wait a minute for nothing.
pub fn redelivery_delay(delivered: u64, age: Duration, random: f64) -> Duration {
    let grown = delay(u32::try_from(delivered).unwrap_or(u32::MAX), random);
    grown.min(age.max(FIRST_DELAY))
}

/// The delay after the `attempt`th failure, counted from 1: [`FIRST_DELAY`], growing by [`GROWTH`] up to
/// [`MAX_DELAY`], less up to [`JITTER`] of it. `random` is from 0 to 1.
pub fn delay(attempt: u32, random: f64) -> Duration {
    let mut schedule = schedule();
    let mut failures = 1;
    while failures < attempt && schedule.current_interval < MAX_DELAY {
        // Only the growth of the interval counts; the returned value has a nanosecond of the crate's own randomness in it.
        schedule.next_backoff();
        failures += 1;
    }
    let chance = if random.is_nan() {
        0.0
    } else {
        random.clamp(0.0, 1.0)
    };
    schedule.current_interval.mul_f64(1.0 - JITTER * chance)
}

/// A clock that stands still.
struct Stopped(Instant);

impl Clock for Stopped {
    fn now(&self) -> Instant {
        self.0
    }
}

fn schedule() -> ExponentialBackoff<Stopped> {
    // The crate wants an instant; with a clock that stands still, which one it is makes no difference.
    let start_time = Instant::now();
    ExponentialBackoff {
        current_interval: FIRST_DELAY,
        initial_interval: FIRST_DELAY,
        randomization_factor: 0.0,
        multiplier: GROWTH,
        max_interval: MAX_DELAY,
        start_time,
        max_elapsed_time: None,
        clock: Stopped(start_time),
    }
}

/// A pause that doubles with each delivery, from `first` to `cap`: for what is expected to pass within moments.
pub fn doubling(first: Duration, cap: Duration, delivered: u64) -> Duration {
    let doublings = u32::try_from(delivered.saturating_sub(1))
        .unwrap_or(u32::MAX)
        .min(16);
    first.saturating_mul(1 << doublings).min(cap)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BUDGET: Budget = Budget {
        attempts: 3,
        max_age: Duration::from_secs(180),
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn delays_double_up_to_a_minute() {
        let delays: Vec<u64> = (1..=9).map(|attempt| delay(attempt, 0.0).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(delay(0, 0.0), FIRST_DELAY);
        assert_eq!(delay(u32::MAX, 0.0), MAX_DELAY);
    }

    #[test]
    fn chance_takes_at_most_its_part_of_a_delay() {
        assert_eq!(delay(1, 1.0), Duration::from_millis(800));
        assert_eq!(delay(1, 0.5), Duration::from_millis(900));
        assert_eq!(delay(9, 1.0), seconds(48));
    }

    #[test]
    fn giving_up_needs_both_attempts_and_age() {
        let step = |attempts, age| next_step(&BUDGET, attempts, seconds(age), None, 0.0);
        assert_eq!(step(3, 180), NextStep::GiveUp);
        assert_eq!(step(3, 179), NextStep::RetryAfter(seconds(4)));
        assert_eq!(step(2, 180), NextStep::RetryAfter(seconds(2)));
    }

    #[test]
    fn a_peers_delay_counts_when_it_is_longer_than_ours() {
        let step = |peer| next_step(&BUDGET, 3, Duration::ZERO, Some(peer), 0.0);
        assert_eq!(step(seconds(3)), NextStep::RetryAfter(seconds(4)));
        assert_eq!(step(seconds(5)), NextStep::RetryAfter(seconds(5)));
    }

    #[test]
    fn a_peer_cannot_ask_for_more_than_an_hour() {
        let step = next_step(&BUDGET, 1, Duration::ZERO, Some(MAX_PEER_DELAY + seconds(1)), 0.0);
        assert_eq!(step, NextStep::RetryAfter(MAX_PEER_DELAY));
    }

    #[test]
    fn redelivery_follows_the_same_schedule() {
        let old = MAX_DELAY;
        assert_eq!(redelivery_delay(1, old, 0.0), FIRST_DELAY);
        assert_eq!(redelivery_delay(3, old, 0.5), delay(3, 0.5));
        assert_eq!(redelivery_delay(u64::MAX, old, 0.0), MAX_DELAY);
    }

    #[test]
    fn work_that_came_often_in_a_short_time_is_put_off_for_no_longer_than_it_is_old() {
        assert_eq!(redelivery_delay(21, seconds(5), 0.0), seconds(5));
        assert_eq!(redelivery_delay(21, Duration::ZERO, 0.0), FIRST_DELAY);
    }

    proptest! {
        #[test]
        fn delays_stay_within_bounds_whatever_is_handed_in(attempt: u32, random: f64) {
            let delay_now = delay(attempt, random);
            prop_assert!(delay_now >= FIRST_DELAY.mul_f64(1.0 - JITTER) && delay_now <= MAX_DELAY);
            prop_assert_eq!(delay_now, delay(attempt, random));
        }

        #[test]
        fn delays_never_shrink(attempt in 1..100_u32, random in 0.0..1.0_f64) {
            prop_assert!(delay(attempt + 1, random) >= delay(attempt, random));
        }
    }
}
