//! A lease: slots of this process's own, until they lapse.

use std::time::Duration;

use domain::rate::{Rate, Slots};
use tokio::time::Instant;

use super::clock::Reading;

/// What a lease says about the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It may begin, and one slot is spent.
    Now,
    /// It may begin then.
    At(Instant),
    /// All slots are spent or have lapsed.
    Over,
}

/// Slots, and how they translate into this machine's time. They lapse by its monotonic clock, carried on from before
/// the lease was asked for: a process that stood still finds them gone.
#[derive(Debug)]
pub(super) struct Lease {
    /// The number of the connection over which it was taken.
    pub(super) connection: u64,
    slots: Slots,
    reading: Reading,
    life: Duration,
    next: u32,
    used: u32,
}

impl Lease {
    pub(super) fn new(rate: &Rate, slots: Slots, reading: Reading, connection: u64) -> Self {
        Self {
            connection,
            slots,
            reading,
            life: rate.slot_life(),
            next: 0,
            used: 0,
        }
    }

    /// Spends the first slot that is open, and lets go of those that have lapsed.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        while self.next < self.slots.count() {
            let opens = self.reading.instant(self.slots.opens(self.next));
            if now < opens {
                return Next::At(opens);
            }
            self.next += 1;
            if now <= opens + self.life {
                self.used += 1;
                return Next::Now;
            }
        }
        Next::Over
    }

    /// How many slots it had.
    pub(super) fn count(&self) -> u32 {
        self.slots.count()
    }

    /// How many were spent.
    pub(super) fn used(&self) -> u32 {
        self.used
    }
}

#[cfg(test)]
mod tests {
    use domain::rate::{Reservation, reserve};
    use proto_schemas::ids::BrokerMicros;

    use super::*;

    /// Five slots, one each 20 ms, which live for 100 ms.
    fn lease(here: Instant) -> Lease {
        let rate = Rate {
            calls: 50,
            per: Duration::from_secs(1),
            burst: 1,
        };
        let now = BrokerMicros(1_000_000);
        let Reservation::Slots { slots, .. } = reserve(&rate, None, now, 5) else {
            panic!("no slots");
        };
        Lease::new(&rate, slots, Reading::new(now, here), 0)
    }

    fn after(here: Instant, millis: u64) -> Instant {
        here + Duration::from_millis(millis)
    }

    #[test]
    fn each_slot_is_spent_once_and_not_before_it_opens() {
        let here = Instant::now();
        let mut lease = lease(here);
        for number in 0..5 {
            let opens = after(here, 20 * number);
            if number > 0 {
                assert_eq!(lease.next(after(here, 20 * number - 1)), Next::At(opens));
            }
            assert_eq!(lease.next(opens), Next::Now);
        }
        assert_eq!(lease.next(after(here, 80)), Next::Over);
        assert_eq!((lease.count(), lease.used()), (5, 5));
    }

    #[test]
    fn what_was_not_spent_in_time_lapses() {
        let here = Instant::now();
        let mut lease = lease(here);
        // The slots of 0, 20 and 40 ms are gone; those of 60 and 80 ms may still be used.
        assert_eq!(lease.next(after(here, 141)), Next::Now);
        assert_eq!(lease.next(after(here, 141)), Next::Now);
        assert_eq!(lease.next(after(here, 141)), Next::Over);
        assert_eq!(lease.used(), 2);
    }

    #[test]
    fn a_process_that_stood_still_has_nothing_left() {
        let here = Instant::now();
        let mut lease = lease(here);
        assert_eq!(lease.next(after(here, 500)), Next::Over);
        assert_eq!(lease.used(), 0);
    }
}
