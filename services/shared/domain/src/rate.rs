//! A rate that many workers share by one record: the generic cell rate algorithm (GCRA), taken in leases.
//!
//! The record holds one moment, the theoretical arrival time of the next call. A worker that wants to call moves it
//! on by some calls, by compare-and-set, and thereby owns as many *slots*: moments at which one call each may begin.
//! Slots may lie ahead, so workers queue up instead of racing for the same moment.
//!
//! The guarantee: if every call begins within [`Rate::slot_life`] of its slot's opening, then in any window of
//! length `t` no more than `rate * (t + slot_life) + burst` calls begin. `rate * slot_life` is at most one lease.

use std::time::Duration;

use proto_schemas::ids::BrokerMicros;

/// What one lease takes at most, as time at the rate. Longer costs fewer writes, and lets more calls be late.
const LEASE: Duration = Duration::from_millis(100);
/// The longest that a slot may be used after it has opened, for rates below one a second.
const LONGEST_LIFE: Duration = Duration::from_secs(1);
/// How far ahead slots are taken: far enough that many workers wait in order, near enough that little is lost with
/// a worker that dies.
const AHEAD: Duration = Duration::from_secs(1);
/// The same for rates at which few calls come in that time.
const AHEAD_CALLS: u32 = 8;
/// And its end.
const FURTHEST_AHEAD: Duration = Duration::from_secs(10);
/// By how much the clocks of workers are taken to differ at most when a record is looked at.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// So many calls in so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many calls, at least 1.
    pub calls: u32,
    /// In how long, above zero.
    pub per: Duration,
    /// How many at once after a pause, at least 1.
    pub burst: u32,
}

/// What a worker may do about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// These slots are the worker's own as soon as the record holds `next_arrival`.
    Slots {
        /// The slots.
        slots: Slots,
        /// What the record must hold.
        next_arrival: BrokerMicros,
    },
    /// So much is taken in advance that nothing is to be had for this long.
    Wait(Duration),
}

/// Moments at which one call each may begin, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    rate: Rate,
    taken_at: BrokerMicros,
    base: BrokerMicros,
    count: u32,
}

impl Rate {
    /// The most calls of one lease: those of 100 ms, and at least one.
    pub fn lease_calls(&self) -> u32 {
        let calls = LEASE.as_micros() * u128::from(self.calls) / self.per.as_micros().max(1);
        u32::try_from(calls).unwrap_or(u32::MAX).max(1)
    }

    /// How long after a slot has opened its call may begin: the time of one lease, and at most a second.
    pub fn slot_life(&self) -> Duration {
        self.time_of(self.lease_calls()).min(LONGEST_LIFE)
    }

    /// The time of so many calls at this rate, rounded up to microseconds.
    pub fn time_of(&self, calls: u32) -> Duration {
        let micros = (self.per.as_micros() * u128::from(calls)).div_ceil(u128::from(self.calls.max(1)));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// How far a record may lie ahead of the last slot that was taken. Rounded down, so that slots open rather later.
    fn tolerance(&self) -> Duration {
        let micros = self.per.as_micros() * u128::from(self.burst) / u128::from(self.calls.max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn ahead(&self) -> Duration {
        self.time_of(AHEAD_CALLS).clamp(AHEAD, FURTHEST_AHEAD)
    }
}

impl Slots {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// When the slot of this number, counted from 0, opens.
    pub fn opens(&self, number: u32) -> BrokerMicros {
        let due = self.base.after(self.rate.time_of(number.saturating_add(1)));
        let early = u64::try_from(self.rate.tolerance().as_micros()).unwrap_or(u64::MAX);
        BrokerMicros(due.0.saturating_sub(early)).max(self.taken_at)
    }
}

/// Takes up to `want` slots, at most a lease. `next_arrival` is what the record holds.
///
/// A record that is not there counts as used up: it may have been lost with its server a moment ago. The first call
/// may begin at once, and the burst comes back as time passes.
pub fn reserve(rate: &Rate, next_arrival: Option<BrokerMicros>, now: BrokerMicros, want: u32) -> Reservation {
    let used_up = now.after(rate.tolerance().saturating_sub(rate.time_of(1)));
    // More than all workers can have taken: the settings have changed, or the broker's clock was put back.
    let furthest = now.after(rate.ahead() + rate.slot_life() + rate.tolerance() + CLOCK_SLACK);
    let base = next_arrival.unwrap_or(used_up).clamp(now, furthest);
    let slots = Slots {
        rate: *rate,
        taken_at: now,
        base,
        count: want.clamp(1, rate.lease_calls()),
    };
    let first = slots.opens(0).since(now);
    if first > rate.ahead() {
        return Reservation::Wait(first - rate.ahead());
    }
    Reservation::Slots {
        slots,
        next_arrival: base.after(rate.time_of(slots.count)),
    }
}

/// How many calls the next lease asks for, when the last one had `size` and `used` of them began: twice as many
/// when all did, else as many as did, but at least what waits. So a steady stream costs few leases, and few slots
/// lapse that others could have used.
pub fn next_size(rate: &Rate, size: u32, used: u32, waiting: u32) -> u32 {
    let by_use = if used >= size {
        size.saturating_mul(2)
    } else {
        used
    };
    by_use.max(waiting).clamp(1, rate.lease_calls())
}

#[cfg(test)]
mod tests;
