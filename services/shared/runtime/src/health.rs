//! Is the process alive, and may it be given work? Two questions with two answers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{IntGauge, IntGaugeVec};
use proto_schemas::ids::UnixMillis;

use crate::clock;
use crate::metrics::{MetricError, Metrics, timestamp};

/// A loop that has not gone round for so long is stuck. Longer than any step of a loop may take: loops do
/// not wait for webhooks, they hand them to futures.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// What a service knows about itself.
#[derive(Clone)]
pub struct Health {
    heartbeats: IntGaugeVec,
    draining: Arc<AtomicBool>,
    pulses: Arc<Mutex<Vec<Pulse>>>,
    conditions: Arc<Mutex<Vec<Condition>>>,
}

/// Shows that a loop goes round.
#[derive(Clone)]
pub struct Pulse {
    name: &'static str,
    last: Arc<AtomicU64>,
    shown: IntGauge,
}

#[derive(Clone)]
struct Condition {
    name: &'static str,
    met: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Pulse {
    /// Shows life.
    pub fn beat(&self) {
        let now = clock::now();
        self.last.store(now.0, Ordering::Relaxed);
        self.shown.set(timestamp(Some(now)));
    }
}

impl Health {
    /// Health of which nothing is known yet.
    ///
    /// # Errors
    /// [`MetricError`] when its metrics are declared already.
    pub fn new(metrics: &Metrics) -> Result<Self, MetricError> {
        Ok(Self {
            heartbeats: metrics.gauges(
                "pull_loop_heartbeat_timestamp_seconds",
                "When the loop that takes work from a stream went round last; every second, whether there is work or not.",
                &["stream"],
            )?,
            draining: Arc::default(),
            pulses: Arc::default(),
            conditions: Arc::default(),
        })
    }

    /// The loop that takes work from a stream; it has to go round for the process to count as alive.
    pub fn pulse(&self, stream: &'static str) -> Pulse {
        let pulse = Pulse {
            name: stream,
            last: Arc::default(),
            shown: self.heartbeats.with_label_values(&[stream]),
        };
        pulse.beat();
        self.pulses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(pulse.clone());
        pulse
    }

    /// Something that must hold for the service to be given work.
    pub fn require(&self, name: &'static str, met: impl Fn() -> bool + Send + Sync + 'static) {
        let condition = Condition {
            name,
            met: Arc::new(met),
        };
        self.conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(condition);
    }

    /// From now on the service takes no work.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The loops that are stuck. The broker's absence is no reason: it would restart every pod.
    pub fn stuck(&self) -> Vec<&'static str> {
        let now = clock::now();
        let pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        let late = |pulse: &&Pulse| now.since(UnixMillis(pulse.last.load(Ordering::Relaxed))) > STUCK_AFTER;
        pulses.iter().filter(late).map(|pulse| pulse.name).collect()
    }

    /// What keeps the service from being given work.
    pub fn unready(&self) -> Vec<&'static str> {
        let conditions = self
            .conditions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut reasons: Vec<_> = conditions
            .iter()
            .filter(|condition| !(condition.met)())
            .map(|condition| condition.name)
            .collect();
        if self.draining.load(Ordering::Relaxed) {
            reasons.push("draining");
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_does_not_hold_is_named() {
        let health = Health::new(&Metrics::new("tiny").unwrap()).unwrap();
        health.require("broker", || false);
        health.require("registry", || true);
        assert_eq!(health.unready(), ["broker"]);
        health.drain();
        assert_eq!(health.unready(), ["broker", "draining"]);
    }

    #[test]
    fn a_loop_that_stands_still_is_named_until_its_heart_beats() {
        let health = Health::new(&Metrics::new("tiny").unwrap()).unwrap();
        let pulse = health.pulse("TURNS");
        assert!(health.stuck().is_empty());
        pulse.last.store(
            clock::now().0 - STUCK_AFTER.as_millis() as u64 - 1,
            Ordering::Relaxed,
        );
        assert_eq!(health.stuck(), ["TURNS"]);
        pulse.shown.set(1);
        let before = timestamp(Some(clock::now()));
        pulse.beat();
        assert!(health.stuck().is_empty());
        assert!((before..=timestamp(Some(clock::now()))).contains(&pulse.shown.get()));
    }
}
