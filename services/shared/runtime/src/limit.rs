//! The rate of an integration or a connection, for the whole cluster: calls are made in slots that are taken from the
//! broker in leases ([`domain::rate`]).
//!
//! Guarantees: no call begins without a slot, nor later after its opening than the slot lives; while the broker is
//! away, or has been since the lease was taken, none begins at all. All replicas go by the broker's clock.

mod clock;
mod lease;
mod metrics;
mod take;

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use domain::rate::{Rate, next_size};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::metrics::{MetricError, Metrics};
use clock::BrokerClock;
use lease::{Lease, Next};
use metrics::LimitMetrics;
use take::{Known, Taken, take};

/// Where leases come from: one for the process.
pub struct Limits {
    bus: Bus,
    clock: BrokerClock,
    metrics: LimitMetrics,
}

impl Limits {
    /// Leases from this broker.
    ///
    /// # Errors
    /// [`MetricError`] when there are others in the process already.
    pub fn new(bus: Bus, metrics: &Metrics) -> Result<Self, MetricError> {
        let metrics = LimitMetrics::new(metrics)?;
        Ok(Self {
            clock: BrokerClock::new(bus.clone(), metrics.clone()),
            bus,
            metrics,
        })
    }

    /// Lets no call of the rate under `key` begin for `pause`, at any replica, but those that have a slot already. While
    /// the broker is away it holds for nobody.
    pub async fn pause(&self, key: &str, pause: Duration) {
        if let Err(error) = take::pause(self, key, pause).await {
            tracing::debug!(%error, key, "a pause could not be written down");
        }
    }

    /// Whether the broker is there, and has been without a break since the connection of that number stood.
    fn stands(&self, connection: u64) -> bool {
        *self.bus.connected().borrow() && self.bus.reconnects() == connection
    }
}

/// Lets calls through as one rate allows.
pub struct Limiter {
    limits: Arc<Limits>,
    key: Arc<str>,
    rate: Rate,
    lease: Option<Lease>,
    /// How many slots the last lease asked for, and how many of its calls began.
    last: (u32, u32),
    known: Option<Known>,
    taking: Option<BoxFuture<'static, Result<Taken, Duration>>>,
}

impl Limiter {
    /// The rate that stands under `key` in the bucket `limits`.
    pub fn new(limits: Arc<Limits>, key: &str, rate: Rate) -> Self {
        Self {
            limits,
            key: key.into(),
            rate,
            lease: None,
            last: (1, 0),
            known: None,
            taking: None,
        }
    }

    /// Waits until a call may begin, which it then must at once. `waiting` is how many calls wait. Dropped half-way
    /// it loses nothing: what was asked for goes on the next time.
    pub async fn permit(&mut self, waiting: usize) {
        while let Err(pause) = self.permit_unless_paused(waiting).await {
            tokio::time::sleep(pause).await;
        }
    }

    /// The same, but a pause is not waited for.
    ///
    /// # Errors
    /// How long calls are paused.
    pub async fn permit_unless_paused(&mut self, waiting: usize) -> Result<(), Duration> {
        loop {
            match self.next_slot() {
                Next::Now => return Ok(()),
                Next::At(opens) => tokio::time::sleep_until(opens).await,
                Next::Over => self.renew(waiting).await?,
            }
        }
    }

    fn next_slot(&mut self) -> Next {
        match &mut self.lease {
            Some(lease) if self.limits.stands(lease.connection) => lease.next(Instant::now()),
            Some(_) | None => Next::Over,
        }
    }

    async fn renew(&mut self, waiting: usize) -> Result<(), Duration> {
        if let Some(lease) = self.lease.take() {
            self.last = (lease.count(), lease.used());
        }
        let taking = match &mut self.taking {
            Some(taking) => taking,
            None => {
                let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
                let size = next_size(&self.rate, self.last.0, self.last.1, waiting);
                let (limits, key) = (Arc::clone(&self.limits), Arc::clone(&self.key));
                self.taking
                    .insert(take(limits, key, self.rate, self.known.take(), size).boxed())
            }
        };
        let taken = taking.await;
        self.taking = None;
        let taken = taken?;
        self.known = Some(taken.known);
        self.lease = Some(taken.lease);
        Ok(())
    }
}
