//! Rate limits per key, in memory: each replica has its own. They keep one sender from taking all there is;
//! what a webhook or a platform bears is limited elsewhere, for the whole cluster.

use std::hash::Hash;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::config::Rate;

/// A limit for each key.
pub(crate) struct Limiter<K, C = DefaultClock>
where
    K: Hash + Eq + Clone,
    C: Clock,
{
    keys: RateLimiter<K, DefaultKeyedStateStore<K>, C, NoOpMiddleware<C::Instant>>,
    clock: C,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self::with_clock(rate, DefaultClock::default())
    }
}

impl<K: Hash + Eq + Clone, C: Clock + Clone> Limiter<K, C> {
    fn with_clock(rate: Rate, clock: C) -> Self {
        let quota = Quota::per_second(rate.per_second).allow_burst(rate.burst);
        let keys = RateLimiter::new(quota, DefaultKeyedStateStore::default(), clock.clone());
        Self { keys, clock }
    }

    /// Takes one of the key's, or says how long it has to wait.
    pub(crate) fn take(&self, key: &K) -> Result<(), Duration> {
        self.keys
            .check_key(key)
            .map_err(|refused| refused.wait_time_from(self.clock.now()))
    }

    /// Lets go of keys that are as good as new.
    pub(crate) fn forget_idle(&self) {
        self.keys.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limiter(per_second: u32, burst: u32) -> (Limiter<u8, FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let count = |number| NonZeroU32::new(number).unwrap();
        let rate = Rate {
            per_second: count(per_second),
            burst: count(burst),
        };
        (Limiter::with_clock(rate, clock.clone()), clock)
    }

    #[test]
    fn beyond_the_burst_a_key_waits_and_others_do_not() {
        let (limiter, clock) = limiter(1, 2);
        assert_eq!((limiter.take(&1), limiter.take(&1)), (Ok(()), Ok(())));
        assert_eq!(limiter.take(&1), Err(SECOND));
        assert_eq!(limiter.take(&2), Ok(()));
        clock.advance(SECOND);
        assert_eq!(limiter.take(&1), Ok(()));
    }

    #[test]
    fn a_key_is_forgotten_when_it_is_as_good_as_new_and_not_before() {
        let (limiter, clock) = limiter(1, 2);
        limiter.take(&1).unwrap();
        limiter.take(&1).unwrap();
        limiter.forget_idle();
        assert!(limiter.take(&1).is_err(), "forgetting must not lift the limit");
        clock.advance(10 * SECOND);
        limiter.forget_idle();
        assert!(limiter.keys.is_empty());
    }
}
