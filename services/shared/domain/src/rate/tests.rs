use proptest::prelude::*;

use super::*;

const START: BrokerMicros = BrokerMicros(1_000_000_000);

fn per_second(calls: u32, burst: u32) -> Rate {
    Rate {
        calls,
        per: Duration::from_secs(1),
        burst,
    }
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn taken(reservation: Reservation) -> (Slots, BrokerMicros) {
    match reservation {
        Reservation::Slots { slots, next_arrival } => (slots, next_arrival),
        Reservation::Wait(wait) => panic!("nothing for {wait:?}"),
    }
}

/// When the slots of one reservation open, counted from its moment.
fn openings(slots: &Slots, from: BrokerMicros) -> Vec<Duration> {
    (0..slots.count())
        .map(|number| slots.opens(number).since(from))
        .collect()
}

#[test]
fn after_a_pause_the_burst_is_there_at_once_and_then_the_rate() {
    let rate = per_second(50, 3);
    let long_ago = BrokerMicros(0);
    let (slots, _) = taken(reserve(&rate, Some(long_ago), START, 5));
    let at_once = Duration::ZERO;
    assert_eq!(
        openings(&slots, START),
        [at_once, at_once, at_once, millis(20), millis(40)]
    );
}

#[test]
fn a_record_that_is_not_there_gives_one_call_and_no_burst() {
    let rate = per_second(50, 3);
    let (slots, next) = taken(reserve(&rate, None, START, 3));
    assert_eq!(openings(&slots, START), [millis(0), millis(20), millis(40)]);
    // A second later all of the burst is back.
    let later = START.after(Duration::from_secs(1));
    let (slots, _) = taken(reserve(&rate, Some(next), later, 3));
    assert_eq!(openings(&slots, later), [Duration::ZERO; 3]);
}

#[test]
fn those_who_come_later_take_slots_that_lie_ahead() {
    let rate = per_second(10, 1);
    let (_, next) = taken(reserve(&rate, None, START, 1));
    let (slots, next) = taken(reserve(&rate, Some(next), START, 1));
    assert_eq!(slots.opens(0).since(START), millis(100));
    let (slots, _) = taken(reserve(&rate, Some(next), START, 1));
    assert_eq!(slots.opens(0).since(START), millis(200));
}

#[test]
fn what_is_taken_for_a_second_ahead_has_to_be_waited_for() {
    let rate = per_second(10, 1);
    let full = START.after(Duration::from_secs(1));
    taken(reserve(&rate, Some(full), START, 1));
    let fuller = full.after(millis(30));
    assert_eq!(
        reserve(&rate, Some(fuller), START, 1),
        Reservation::Wait(millis(30))
    );
}

#[test]
fn a_lease_is_the_calls_of_a_tenth_of_a_second_and_at_least_one() {
    assert_eq!(per_second(10, 1).lease_calls(), 1);
    assert_eq!(per_second(500, 1).lease_calls(), 50);
    let by_minute = Rate {
        calls: 6,
        per: Duration::from_secs(60),
        burst: 1,
    };
    assert_eq!(by_minute.lease_calls(), 1);
    assert_eq!(by_minute.slot_life(), LONGEST_LIFE);
    let (slots, _) = taken(reserve(&per_second(500, 500), Some(BrokerMicros(0)), START, 1000));
    assert_eq!(slots.count(), 50);
}

#[test]
fn a_slot_lives_no_longer_than_one_lease_takes() {
    for calls in 1..=2000 {
        let rate = per_second(calls, 1);
        assert!(rate.slot_life() <= rate.time_of(rate.lease_calls()), "{calls}");
    }
}

#[test]
fn a_record_of_slower_days_does_not_block_for_longer_than_a_full_queue() {
    let rate = per_second(100, 10);
    let made_at_one_a_minute = START.after(Duration::from_secs(6000));
    let Reservation::Wait(wait) = reserve(&rate, Some(made_at_one_a_minute), START, 1) else {
        panic!("the record was thrown away");
    };
    assert!(wait < Duration::from_secs(2), "{wait:?}");
}

#[test]
fn leases_grow_with_use_and_shrink_to_what_was_used() {
    let rate = per_second(500, 1);
    assert_eq!(next_size(&rate, 4, 4, 1), 8);
    assert_eq!(next_size(&rate, 40, 40, 1), 50);
    assert_eq!(next_size(&rate, 40, 7, 1), 7);
    assert_eq!(next_size(&rate, 40, 0, 1), 1);
    assert_eq!(next_size(&rate, 40, 0, 300), 50);
}

/// One worker's step: who, how long after the last step, how many calls it wants, how late each of them begins (in
/// thousandths of a slot's life), and whether it dies instead.
type Step = (usize, u64, u32, u64, bool);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(
        (
            0..4_usize,
            0..300_000_u64,
            1..80_u32,
            0..=1000_u64,
            prop::bool::weighted(0.1),
        ),
        1..60,
    )
}

fn rates() -> impl Strategy<Value = Rate> {
    let per = prop::sample::select(vec![Duration::from_secs(1), Duration::from_secs(60)]);
    (1..3000_u32, per, 1..60_u32).prop_map(|(calls, per, burst)| Rate { calls, per, burst })
}

/// When calls begin if four workers, whose clocks are wrong by up to `skew` (microseconds), take these steps.
fn calls_begin(rate: &Rate, steps: &[Step], skew: [u64; 4]) -> Vec<u64> {
    let (mut record, mut time, mut begun) = (None, START.0, Vec::new());
    let life = u64::try_from(rate.slot_life().as_micros()).unwrap();
    for &(worker, pause, want, late, dies) in steps {
        time += pause;
        let now = BrokerMicros(time - skew[worker]);
        let Reservation::Slots { slots, next_arrival } = reserve(rate, record, now, want) else {
            continue;
        };
        record = Some(next_arrival);
        if !dies {
            begun.extend((0..slots.count()).map(|n| slots.opens(n).0 + skew[worker] + life * late / 1000));
        }
    }
    begun.sort_unstable();
    begun
}

proptest! {
    #[test]
    fn no_window_has_more_calls_than_its_rate_its_burst_and_one_lease(
        rate in rates(),
        steps in steps(),
        skew in prop::array::uniform4(0..5_000_u64),
    ) {
        let begun = calls_begin(&rate, &steps, skew);
        let life = u64::try_from(rate.slot_life().as_micros()).unwrap();
        for first in 0..begun.len() {
            for last in first..begun.len() {
                // Two microseconds for rounding.
                let window = begun[last] - begun[first] + life + 5_000 + 2;
                let beyond_burst = u128::try_from(last - first + 1).unwrap().saturating_sub(rate.burst.into());
                prop_assert!(
                    beyond_burst * rate.per.as_micros() <= u128::from(window) * u128::from(rate.calls),
                    "{} calls within {} us", last - first + 1, begun[last] - begun[first]
                );
            }
        }
    }

    #[test]
    fn a_worker_that_always_wants_more_gets_the_whole_rate(rate in rates(), leases in 2..40_u32) {
        let (mut record, mut now, mut begun) = (None, START, 0);
        for _ in 0..leases {
            match reserve(&rate, record, now, u32::MAX) {
                Reservation::Slots { slots, next_arrival } => {
                    record = Some(next_arrival);
                    begun += slots.count();
                    now = slots.opens(slots.count() - 1);
                }
                Reservation::Wait(wait) => now = now.after(wait),
            }
        }
        // Rounded up once a lease.
        let due = rate.time_of(begun) + Duration::from_micros(leases.into());
        prop_assert!(now.since(START) <= due, "{begun} calls took {:?}, not {due:?}", now.since(START));
    }

    #[test]
    fn slots_open_in_order_and_never_before_they_were_taken(rate in rates(), ahead in 0..2_000_000_u64, want in 1..100_u32) {
        if let Reservation::Slots { slots, .. } = reserve(&rate, Some(BrokerMicros(START.0 + ahead)), START, want) {
            let openings: Vec<_> = (0..slots.count()).map(|number| slots.opens(number)).collect();
            prop_assert!(openings[0] >= START && openings.is_sorted());
        }
    }
}
