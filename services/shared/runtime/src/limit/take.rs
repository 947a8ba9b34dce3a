//! Taking a lease: read the record, move it on by compare-and-set, try again for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use bus::{BusError, Revision, TraceContext};
use domain::rate::{Rate, Reservation, reserve};
use outbound::MAX_RETRY_AFTER;
use proto_schemas::limits::RateLimit;
use proto_schemas::topology::LIMITS;
use tokio::time::{Instant, sleep};

use super::Limits;
use super::lease::Lease;
use super::metrics::Operation;
use crate::random;

/// The longest pause after another replica was quicker; a write takes less.
const CONFLICT_PAUSE: Duration = Duration::from_millis(3);
/// The longest pause while the broker is away.
const OUTAGE_PAUSE: Duration = Duration::from_millis(200);
/// The longest by which replicas that wait for the same moment are spread.
const SPREAD: Duration = Duration::from_millis(10);

/// The record as this replica wrote it last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    revision: u64,
    record: RateLimit,
    connection: u64,
    /// Whether nobody else seems to write it, so that it need not be read first.
    alone: bool,
}

/// A lease, and the record behind it.
pub(super) struct Taken {
    pub(super) lease: Lease,
    pub(super) known: Known,
}

enum Attempt {
    Taken(Taken),
    Wait(Duration),
    Paused(Duration),
}

/// Takes a lease of up to `want` calls. While the broker is away it waits.
///
/// # Errors
/// How long calls are paused, if they are.
pub(super) async fn take(
    limits: Arc<Limits>,
    key: Arc<str>,
    rate: Rate,
    mut known: Option<Known>,
    want: u32,
) -> Result<Taken, Duration> {
    loop {
        let pause = match attempt(&limits, &key, &rate, known, want).await {
            Ok(Attempt::Taken(taken)) => return Ok(taken),
            Ok(Attempt::Paused(pause)) => return Err(pause),
            Ok(Attempt::Wait(wait)) => wait + SPREAD.mul_f64(random::fraction()),
            Err(BusError::Conflict) => {
                limits.metrics.count(Operation::Conflict);
                known = known.map(|known| Known {
                    alone: false,
                    ..known
                });
                CONFLICT_PAUSE.mul_f64(random::fraction())
            }
            Err(error) => {
                limits.metrics.count(Operation::Failure);
                tracing::debug!(%error, key = &*key, "no lease of the rate can be had; calls wait");
                OUTAGE_PAUSE.mul_f64(0.5 + 0.5 * random::fraction())
            }
        };
        sleep(pause).await;
    }
}

async fn attempt(
    limits: &Limits,
    key: &str,
    rate: &Rate,
    known: Option<Known>,
    want: u32,
) -> Result<Attempt, BusError> {
    let connection = limits.bus.reconnects();
    let reading = limits.clock.reading().await?;
    let known = known.filter(|known| known.connection == connection);
    let (present, alone) = match known {
        Some(known) if known.alone => (Some((known.revision, known.record)), true),
        Some(_) | None => {
            let read: Option<Revision<RateLimit>> = limits.bus.get(&LIMITS, key).await?;
            limits.metrics.count(Operation::Read);
            let present = read.map(|found| (found.revision, found.record));
            // Not alone if somebody has written since.
            let alone =
                known.is_none_or(|known| present.is_some_and(|(revision, _)| revision == known.revision));
            (present, alone)
        }
    };
    let now = reading.at(Instant::now());
    let paused_until = present.and_then(|(_, record)| record.paused_until);
    let pause = paused_until.map_or(Duration::ZERO, |until| until.since(now));
    if !pause.is_zero() {
        return Ok(Attempt::Paused(pause.min(MAX_RETRY_AFTER)));
    }
    let next_arrival = present.map(|(_, record)| record.next_arrival);
    let (slots, next_arrival) = match reserve(rate, next_arrival, now, want) {
        Reservation::Slots { slots, next_arrival } => (slots, next_arrival),
        Reservation::Wait(wait) => return Ok(Attempt::Wait(wait)),
    };
    let (revision, record) = (
        present.map_or(0, |(revision, _)| revision),
        RateLimit {
            next_arrival,
            paused_until: None,
        },
    );
    let revision = limits
        .bus
        .compare_and_set(&LIMITS, key, revision, &record, TraceContext::new())
        .await?;
    limits.metrics.count(Operation::Write);
    Ok(Attempt::Taken(Taken {
        lease: Lease::new(rate, slots, reading, connection),
        known: Known {
            revision,
            record,
            connection,
            alone,
        },
    }))
}

/// Writes down that no call may begin for `pause`, for all replicas.
///
/// # Errors
/// [`BusError`] when that could not be written.
pub(super) async fn pause(limits: &Limits, key: &str, pause: Duration) -> Result<(), BusError> {
    loop {
        let now = limits.clock.reading().await?.at(Instant::now());
        let until = now.after(pause.min(MAX_RETRY_AFTER));
        let found: Option<Revision<RateLimit>> = limits.bus.get(&LIMITS, key).await?;
        limits.metrics.count(Operation::Read);
        let (revision, record) = match found {
            Some(found) if found.record.paused_until >= Some(until) => return Ok(()),
            Some(found) => (found.revision, found.record),
            None => (
                0,
                RateLimit {
                    next_arrival: now,
                    paused_until: None,
                },
            ),
        };
        let record = RateLimit {
            paused_until: Some(until),
            ..record
        };
        let written = limits
            .bus
            .compare_and_set(&LIMITS, key, revision, &record, TraceContext::new())
            .await;
        match written {
            Ok(_) => {
                limits.metrics.count(Operation::Write);
                return Ok(());
            }
            Err(BusError::Conflict) => limits.metrics.count(Operation::Conflict),
            Err(error) => return Err(error),
        }
        sleep(CONFLICT_PAUSE.mul_f64(random::fraction())).await;
    }
}
