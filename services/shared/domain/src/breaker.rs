//! When a webhook fails so often that asking it is of no use, and how long it is left in peace then.
//!
//! Each worker counts the calls it makes itself. What one finds is written down for all; that, and the single call
//! that tries a webhook out again, is the caller's.

use std::time::Duration;

/// Half of the time over which calls are counted: the last 30 to 60 s.
const HALF: Duration = Duration::from_secs(30);
/// The longest pause, however often trying out has failed: a webhook that is there again is found within it, and those
/// who wait for it see several attempts before they are given up.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How many calls have to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Of at least so many calls.
    pub calls: u32,
    /// This part or more, in percent.
    pub percent: u32,
}

/// What came of the calls of late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    began: Duration,
    earlier: Tally,
    present: Tally,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    calls: u32,
    failed: u32,
}

impl Window {
    /// Counts a call that ended at `now`, which counts from any fixed moment. True when too many have failed.
    pub fn count(&mut self, now: Duration, failed: bool, threshold: &Threshold) -> bool {
        self.forget(now);
        self.present.calls = self.present.calls.saturating_add(1);
        self.present.failed = self.present.failed.saturating_add(failed.into());
        let calls = u64::from(self.earlier.calls) + u64::from(self.present.calls);
        let failures = u64::from(self.earlier.failed) + u64::from(self.present.failed);
        failed && calls >= threshold.calls.into() && failures * 100 >= calls * u64::from(threshold.percent)
    }

    fn forget(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.began);
        if passed < HALF {
            return;
        }
        self.earlier = if passed < 2 * HALF {
            self.present
        } else {
            Tally::default()
        };
        self.present = Tally::default();
        self.began = now;
    }
}

/// How long a webhook is left in peace after it was found failing `times` in a row, counted from 1: `first`, then
/// twice as long each time, up to a minute.
pub fn pause(first: Duration, times: u32) -> Duration {
    let doublings = times.saturating_sub(1).min(16);
    first.saturating_mul(1 << doublings).min(LONGEST_PAUSE.max(first))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const THRESHOLD: Threshold = Threshold {
        calls: 10,
        percent: 60,
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// After which call, counted from 1, the breaker opens.
    fn opens_after(results: impl IntoIterator<Item = (u64, bool)>) -> Option<usize> {
        let mut window = Window::default();
        let at = results
            .into_iter()
            .position(|(at, failed)| window.count(seconds(at), failed, &THRESHOLD));
        at.map(|index| index + 1)
    }

    #[test]
    fn ten_failures_open_it_and_nine_do_not() {
        assert_eq!(opens_after([(1, true); 9]), None);
        assert_eq!(opens_after([(1, true); 10]), Some(10));
    }

    #[test]
    fn it_opens_only_at_a_failure() {
        let failures_first = [(1, true); 9]
            .into_iter()
            .chain([(1, false), (1, false), (1, true)]);
        assert_eq!(opens_after(failures_first), Some(12));
    }

    #[test]
    fn a_webhook_of_which_half_the_calls_fail_is_still_asked() {
        let every_other = (0..1000).map(|number| (number / 50, number % 2 == 0));
        assert_eq!(opens_after(every_other), None);
    }

    #[test]
    fn what_is_long_past_does_not_count() {
        let rare = (0..100).map(|number| (number * 10, true));
        assert_eq!(
            opens_after(rare),
            None,
            "a failure each ten seconds is less than ten a minute"
        );
        let after_a_pause = [(1, true); 9].into_iter().chain([(100, true)]);
        assert_eq!(opens_after(after_a_pause), None);
        let after_a_moment = [(1, true); 9].into_iter().chain([(31, true)]);
        assert_eq!(opens_after(after_a_moment), Some(10));
    }

    #[test]
    fn each_pause_is_twice_the_one_before_up_to_a_minute() {
        let pauses = [1, 2, 3, 4, u32::MAX].map(|times| pause(seconds(15), times).as_secs());
        assert_eq!(pauses, [15, 30, 60, 60, 60]);
        assert_eq!(
            pause(seconds(600), 1),
            seconds(600),
            "one that is set longer stays so"
        );
    }

    proptest! {
        #[test]
        fn it_never_opens_while_fewer_than_the_part_fail(results in prop::collection::vec((0_u64..3, any::<bool>()), 1..300)) {
            let (mut window, mut now) = (Window::default(), Duration::ZERO);
            let mut recent: Vec<(Duration, bool)> = Vec::new();
            for (passed, failed) in results {
                now += seconds(passed);
                recent.push((now, failed));
                if window.count(now, failed, &THRESHOLD) {
                    // All that it can have counted lies within a minute; at least what it needs lies there.
                    let failures = recent.iter().filter(|(at, failed)| *failed && *at + 2 * HALF > now).count();
                    prop_assert!(failures >= 6, "{failures} failures in the last minute");
                }
            }
        }
    }
}
