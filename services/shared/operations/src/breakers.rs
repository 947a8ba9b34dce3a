//! The webhooks that are left in peace because they fail, and how to have one asked again.

use std::fmt;

use bus::{Bus, BusError, Entry, TraceContext};
use proto_schemas::ids::IntegrationId;
use proto_schemas::limits::{Circuit, CircuitBreaker};
use proto_schemas::subjects;
use proto_schemas::topology::{LIMITS, REGISTRY, bucket_stream};
use registry::Integration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A webhook that is left in peace, or is tried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "OpenBreaker")]
pub struct Breaker {
    /// The integration.
    pub integration: IntegrationId,
    /// Since when, in RFC 3339.
    pub since: String,
    /// What was found.
    #[serde(flatten)]
    pub circuit: Circuit,
}

/// What was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ClosedBreaker")]
pub struct Closed {
    /// The integration, whose webhook is asked again.
    pub closed: IntegrationId,
}

/// Why a breaker was not closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// It is closed.
    #[error("the circuit breaker is closed, or there is no such integration")]
    NotOpen,
    /// A webhook-caller has found something else meanwhile.
    #[error("the circuit breaker has changed meanwhile; try again")]
    Changed,
    /// The broker.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl fmt::Display for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (integration, state) = (&self.integration, self.circuit.as_str());
        write!(f, "{integration}  {state}  ")?;
        match &self.circuit {
            Circuit::Closed => f.write_str("is asked")?,
            Circuit::Open {
                pause_millis,
                times,
                class,
            } => write!(
                f,
                "{class}, found failing {times} times in a row, tried out after {} s",
                pause_millis / 1000
            )?,
            Circuit::HalfOpen { times, class, .. } => {
                write!(f, "{class}, found failing {times} times in a row, is tried out")?;
            }
            Circuit::Gone => f.write_str("answered 410; asked again when its settings change")?,
        }
        write!(f, "  since {}", self.since)
    }
}

/// All webhooks that are left in peace or tried out.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn list(bus: &Bus) -> Result<Vec<Breaker>, BusError> {
    Ok(some(bus, usize::MAX).await?.0)
}

/// The first `limit` of them, and whether there are more. Asks once for each of these, and for each before them that was
/// found under settings that have changed since: those count no more, and lapse within a day.
///
/// # Errors
/// As for [`list`].
pub(crate) async fn some(bus: &Bus, limit: usize) -> Result<(Vec<Breaker>, bool), BusError> {
    let subject = subjects::key(LIMITS.name, subjects::BREAKERS);
    let mut open = Vec::new();
    bus.each(&bucket_stream(&LIMITS), &subject, 1, |entry| {
        open.extend(found(&entry))
    })
    .await?;
    let mut breakers = Vec::new();
    for (breaker, settings) in open {
        if settings_of(bus, &breaker.integration).await? != Some(settings) {
            continue;
        }
        if breakers.len() == limit {
            return Ok((breakers, true));
        }
        breakers.push(breaker);
    }
    Ok((breakers, false))
}

/// A breaker that is not closed, and the revision of the settings with which that was found. A marker of a removal
/// holds nothing.
fn found(entry: &Entry) -> Option<(Breaker, u64)> {
    let CircuitBreaker { settings, circuit } = entry.decode().ok()?;
    let breaker = Breaker {
        integration: subjects::integration_of_breaker(&entry.subject)?,
        since: entry.stored_at.clone(),
        circuit,
    };
    (breaker.circuit != Circuit::Closed).then_some((breaker, settings))
}

/// An integration's, if its webhook is left in peace or tried out under the settings of this revision.
///
/// # Errors
/// As for [`list`].
pub async fn of(bus: &Bus, integration: &IntegrationId, settings: u64) -> Result<Option<Breaker>, BusError> {
    let subject = subjects::key(LIMITS.name, &subjects::integration_breaker(integration));
    let last = bus.last(&bucket_stream(&LIMITS), &subject).await?;
    let open = last.and_then(|entry| found(&entry));
    Ok(open
        .filter(|(_, found_with)| *found_with == settings)
        .map(|(breaker, _)| breaker))
}

/// The revision of an integration's settings; none when it was removed.
async fn settings_of(bus: &Bus, integration: &IntegrationId) -> Result<Option<u64>, BusError> {
    let settings = bus
        .get::<Integration>(&REGISTRY, &registry::integration_key(integration))
        .await?;
    Ok(settings.map(|settings| settings.revision))
}

/// Has a webhook asked again at once.
///
/// # Errors
/// [`CloseError`]; nothing is changed then.
pub async fn close(bus: &Bus, integration: &IntegrationId) -> Result<Closed, CloseError> {
    let key = subjects::integration_breaker(integration);
    let present = bus.get::<CircuitBreaker>(&LIMITS, &key).await?;
    let open = present.filter(|present| present.record.circuit != Circuit::Closed);
    let open = open.ok_or(CloseError::NotOpen)?;
    let record = CircuitBreaker {
        circuit: Circuit::Closed,
        ..open.record
    };
    let written = bus.compare_and_set(&LIMITS, &key, open.revision, &record, TraceContext::new());
    match written.await {
        Ok(_) => Ok(Closed {
            closed: integration.clone(),
        }),
        Err(BusError::Conflict) => Err(CloseError::Changed),
        Err(error) => Err(error.into()),
    }
}
