//! The broker's clock, as it is known here: what it said, carried on by this machine's monotonic clock. Wall clocks of
//! replicas are never compared.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Bus, BusError};
use proto_schemas::ids::BrokerMicros;
use proto_schemas::topology::LIMITS;
use tokio::time::{Instant, sleep};

use super::metrics::{LimitMetrics, Operation};

/// How long a reading is carried on. Clocks drift apart by some 0.1 ms each second at worst.
const GOOD_FOR: Duration = Duration::from_secs(10);
/// How long others leave the question to the one who asks.
const ASKING: Duration = Duration::from_secs(1);
/// How often those look who have no reading at all meanwhile.
const LOOK: Duration = Duration::from_millis(2);

/// What the broker's clock said, and when that was here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    broker: BrokerMicros,
    here: Instant,
}

impl Reading {
    pub(super) fn new(broker: BrokerMicros, here: Instant) -> Self {
        Self { broker, here }
    }

    /// What the broker's clock says at a moment of ours, or a little more than it says.
    pub(super) fn at(&self, here: Instant) -> BrokerMicros {
        self.broker.after(here.saturating_duration_since(self.here))
    }

    /// When the broker's clock will say so here; the moment of the reading if it did before.
    pub(super) fn instant(&self, moment: BrokerMicros) -> Instant {
        self.here + moment.since(self.broker)
    }
}

#[derive(Clone, Copy)]
struct Known {
    reading: Reading,
    /// The number of the connection over which it was told.
    connection: u64,
}

/// The clock, read anew when its last reading is old, and after the connection broke.
pub(super) struct BrokerClock {
    bus: Bus,
    state: Mutex<State>,
    metrics: LimitMetrics,
}

#[derive(Default)]
struct State {
    known: Option<Known>,
    /// Since when one is asking, so that not all who find the reading old do.
    asking: Option<Instant>,
}

/// What the state says to one who wants a reading.
enum Look {
    /// Take this one.
    Good(Reading),
    /// Ask; this is what was known.
    Ask(Option<Reading>),
    /// Another one asks.
    Wait,
}

impl State {
    /// Whoever is told to ask has `ASKING` for it: a limiter that nobody waits for any more must not keep others.
    fn look(&mut self, connection: u64, now: Instant) -> Look {
        let known = self.known.filter(|known| known.connection == connection);
        let age = known.map(|known| now.saturating_duration_since(known.reading.here));
        let is_asked = self
            .asking
            .is_some_and(|since| now.saturating_duration_since(since) < ASKING);
        match (known, age) {
            (Some(known), Some(age)) if age < GOOD_FOR || (is_asked && age < 2 * GOOD_FOR) => {
                Look::Good(known.reading)
            }
            (_, _) if is_asked => Look::Wait,
            (known, _) => {
                self.asking = Some(now);
                Look::Ask(known.map(|known| known.reading))
            }
        }
    }
}

impl BrokerClock {
    pub(super) fn new(bus: Bus, metrics: LimitMetrics) -> Self {
        Self {
            bus,
            state: Mutex::default(),
            metrics,
        }
    }

    /// A reading that is good now, within one round trip to the broker.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away.
    pub(super) async fn reading(&self) -> Result<Reading, BusError> {
        loop {
            let connection = self.bus.reconnects();
            let look = self.state().look(connection, Instant::now());
            match look {
                Look::Good(reading) => return Ok(reading),
                Look::Wait => sleep(LOOK).await,
                Look::Ask(known) => {
                    let asked = self.ask(known).await;
                    let mut state = self.state();
                    state.asking = None;
                    if let Ok(reading) = asked {
                        state.known = Some(Known { reading, connection });
                    }
                    return asked;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, known: Option<Reading>) -> Result<Reading, BusError> {
        if known.is_none() {
            // The broker may have lost the bucket with its memory.
            self.bus.ensure_bucket(&LIMITS).await?;
        }
        let asked = Instant::now();
        let told = self.bus.time(&LIMITS).await?;
        self.metrics.count(Operation::Clock);
        Ok(reconcile(known, told, asked, Instant::now()))
    }
}

/// The broker said `told` at some moment between question and answer. What was known stays if it agrees, as the
/// earlier question may have been answered sooner; otherwise the clock has been set or has drifted.
fn reconcile(known: Option<Reading>, told: BrokerMicros, asked: Instant, answered: Instant) -> Reading {
    let latest = told.after(answered - asked);
    let agreed = known
        .map(|known| known.at(answered))
        .filter(|known| (told..=latest).contains(known));
    Reading::new(agreed.unwrap_or(told), answered)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: BrokerMicros = BrokerMicros(5_000_000);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_reading_is_carried_on_by_the_monotonic_clock() {
        let here = Instant::now();
        let reading = Reading::new(TOLD, here);
        assert_eq!(reading.at(here + millis(3)), BrokerMicros(5_003_000));
        assert_eq!(reading.instant(BrokerMicros(5_003_000)), here + millis(3));
        assert_eq!(reading.instant(BrokerMicros(1)), here);
    }

    #[test]
    fn one_asks_while_the_others_go_on_with_what_is_known() {
        let now = Instant::now();
        let known = Known {
            reading: Reading::new(TOLD, now),
            connection: 1,
        };
        let mut state = State {
            known: Some(known),
            asking: None,
        };
        assert!(matches!(state.look(1, now + GOOD_FOR / 2), Look::Good(_)));
        let old = now + GOOD_FOR;
        assert!(matches!(state.look(1, old), Look::Ask(Some(_))));
        assert!(matches!(state.look(1, old), Look::Good(_)));
        assert!(
            matches!(state.look(2, old), Look::Wait),
            "another connection, another broker"
        );
    }

    #[test]
    fn one_who_asks_and_goes_away_keeps_the_others_for_a_second_at_most() {
        let now = Instant::now();
        let mut state = State::default();
        assert!(matches!(state.look(1, now), Look::Ask(None)));
        assert!(matches!(state.look(1, now + ASKING - millis(1)), Look::Wait));
        assert!(matches!(state.look(1, now + ASKING), Look::Ask(None)));
    }

    #[test]
    fn a_quicker_answer_of_before_is_kept_while_it_agrees() {
        let asked = Instant::now();
        let answered = asked + millis(8);
        let known = |broker| Some(Reading::new(BrokerMicros(broker), asked));
        let reconciled = |known| reconcile(known, TOLD, asked, answered).at(answered).0;
        assert_eq!(reconciled(None), 5_000_000);
        assert_eq!(reconciled(known(4_995_000)), 5_003_000);
        // It says less than the broker said before it answered, or more than it can say by now.
        assert_eq!(reconciled(known(4_991_000)), 5_000_000);
        assert_eq!(reconciled(known(5_001_000)), 5_000_000);
    }
}
