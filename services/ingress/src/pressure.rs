//! How far behind the rest of the pipeline is. What is taken must be answered, so when too much lies untouched
//! no more is taken: to refuse early is cheap, and platforms push again.
//!
//! Only what no service has taken up counts. Messages behind a slow bot are taken up and put off, and a dead
//! webhook fills its own share of webhook-caller: neither keeps other bots' messages out.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::Bus;
use proto_schemas::topology::{ConsumerSpec, DELIVERY_WORK, INBOX_EVENTS, TURN_WORK};
use tokio::time::MissedTickBehavior;

/// What lies between a message and its reply.
const STAGES: [ConsumerSpec; 3] = [INBOX_EVENTS, TURN_WORK, DELIVERY_WORK];
/// How often the broker is asked. Between two looks as much comes in as comes in.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Whether too much lies untouched.
#[derive(Default)]
pub(crate) struct Pressure(AtomicBool);

impl Pressure {
    pub(crate) fn is_high(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Rises above the limit and falls below half of it, so that it does not flutter.
    fn saw(&self, most: u64, limit: u64) {
        let was = self.is_high();
        let is = if was { most > limit / 2 } else { most > limit };
        if was != is {
            self.0.store(is, Ordering::Relaxed);
            tracing::warn!(untouched = most, limit, refusing = is, "the pipeline's backlog");
        }
    }
}

/// Looks at the broker for as long as it is polled.
pub(crate) async fn watch(pressure: Arc<Pressure>, bus: Bus, limit: u64) -> Result<(), Infallible> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut most = 0;
        for stage in &STAGES {
            match bus.consumer_state(stage).await {
                Ok(state) => most = most.max(state.pending),
                // Without the broker every push is refused anyway.
                Err(error) => tracing::debug!(%error, stream = stage.stream, "cannot see the backlog"),
            }
        }
        pressure.saw(most, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_above_the_limit_and_falls_below_half_of_it() {
        let pressure = Pressure::default();
        let after = |most| {
            pressure.saw(most, 100);
            pressure.is_high()
        };
        let looks = [100, 101, 51, 50, 100].map(after);
        assert_eq!(looks, [false, true, true, false, false]);
    }
}
