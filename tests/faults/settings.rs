//! What a run is started with.

use std::time::Duration;

/// Faults a minute at a rate of 1.
const FAULTS_PER_MINUTE: f64 = 30.0;

/// The settings of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Settings {
    /// How long users write and faults happen.
    pub(crate) duration: Duration,
    /// What everything is drawn from.
    pub(crate) seed: u64,
    /// Faults a minute.
    pub(crate) rate: f64,
}

impl Settings {
    /// Reads `DURATION` (`10m`; one minute by default), `SEED` (a number; drawn by default) and `RATE` (of
    /// faults; 1 by default).
    pub(crate) fn from_environment() -> Self {
        let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let duration = given("DURATION").map(|text| humantime::parse_duration(&text).unwrap());
        let seed = given("SEED").map(|text| text.parse().unwrap());
        let rate: Option<f64> = given("RATE").map(|text| text.parse().unwrap());
        Self {
            duration: duration.unwrap_or(Duration::from_secs(60)),
            // Short, so that it is typed again without a slip.
            seed: seed.unwrap_or_else(|| rand::random_range(0..100_000)),
            rate: FAULTS_PER_MINUTE * rate.unwrap_or(1.0),
        }
    }

    /// The same, whatever `DURATION` says.
    pub(crate) fn for_as_long_as(self, duration: Duration) -> Self {
        Self { duration, ..self }
    }
}
