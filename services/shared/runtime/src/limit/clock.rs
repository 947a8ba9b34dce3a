//! The broker's clock, as it is known here: what it said, carried on by this machine's monotonic clock. Wall clocks of
//! replicas are never compared.

use std::time::Duration;

use bus::{Bus, BusError};
use proto_schemas::ids::BrokerMicros;
use proto_schemas::topology::LIMITS;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::metrics::{LimitMetrics, Operation};

/// How long a reading is carried on. Clocks drift apart by some 0.1 ms each second at worst.
const GOOD_FOR: Duration = Duration::from_secs(10);

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
    known: Mutex<Option<Known>>,
    metrics: LimitMetrics,
}

impl BrokerClock {
    pub(super) fn new(bus: Bus, metrics: LimitMetrics) -> Self {
        Self {
            bus,
            known: Mutex::new(None),
            metrics,
        }
    }

    /// A reading that is good now, within one round trip to the broker.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away.
    pub(super) async fn reading(&self) -> Result<Reading, BusError> {
        // Held while asking, so that all who find it old ask once.
        let mut known = self.known.lock().await;
        let connection = self.bus.reconnects();
        let same_broker = known.take_if(|known| known.connection == connection);
        let reading = match same_broker {
            Some(Known { reading, .. }) if reading.here.elapsed() < GOOD_FOR => reading,
            Some(Known { reading, .. }) => self.ask(Some(reading)).await?,
            None => {
                // The broker may have lost the bucket with its memory.
                self.bus.ensure_bucket(&LIMITS).await?;
                self.ask(None).await?
            }
        };
        *known = Some(Known { reading, connection });
        Ok(reading)
    }

    async fn ask(&self, known: Option<Reading>) -> Result<Reading, BusError> {
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
