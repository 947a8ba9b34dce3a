//! `chatbot breakers`: which webhooks are left in peace, and how to have one asked again.

use bus::{Bus, TraceContext};
use clap::Subcommand;
use proto_schemas::ids::IntegrationId;
use proto_schemas::limits::{Circuit, CircuitBreaker};
use proto_schemas::subjects;
use proto_schemas::topology::{LIMITS, REGISTRY, bucket_stream};
use registry::Integration;

use crate::Failure;
use crate::output::say;
use crate::trace::all;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the integrations whose webhook fails or said that it is gone (410).
    List,
    /// Has a webhook asked again at once.
    Close {
        /// The integration.
        integration: String,
    },
}

pub(crate) async fn run(command: Command, bus: &Bus) -> Result<(), Failure> {
    match command {
        Command::List => list(bus).await,
        Command::Close { integration } => close(bus, &integration).await,
    }
}

async fn list(bus: &Bus) -> Result<(), Failure> {
    let subject = subjects::key(LIMITS.name, subjects::BREAKERS);
    let mut count = 0;
    for entry in all(bus, &bucket_stream(&LIMITS), &subject).await? {
        // A marker of a removal holds nothing.
        let Ok(record) = entry.decode::<CircuitBreaker>() else {
            continue;
        };
        if let (Some(integration), Some(state)) = (
            subjects::integration_of_breaker(&entry.subject),
            told(&record.circuit),
        ) && settings_of(bus, &integration).await? == Some(record.settings)
        {
            count += 1;
            say!("{integration}  {state}  since {}", entry.stored_at);
        }
    }
    say!("{count} integrations are left in peace");
    Ok(())
}

/// The revision of an integration's settings: what was found under others counts no more.
async fn settings_of(bus: &Bus, integration: &IntegrationId) -> Result<Option<u64>, Failure> {
    let settings = bus
        .get::<Integration>(&REGISTRY, &registry::integration_key(integration))
        .await
        .map_err(Failure::new)?;
    Ok(settings.map(|settings| settings.revision))
}

/// In words; none when the webhook is asked.
fn told(circuit: &Circuit) -> Option<String> {
    let state = circuit.as_str();
    match circuit {
        Circuit::Closed => None,
        Circuit::Open {
            pause_millis,
            times,
            class,
        } => Some(format!(
            "{state}  {class}, found failing {times} times in a row, tried out after {} s",
            pause_millis / 1000
        )),
        Circuit::HalfOpen { times, class, .. } => Some(format!(
            "{state}  {class}, found failing {times} times in a row, is tried out"
        )),
        Circuit::Gone => Some(format!(
            "{state}  answered 410; asked again when its settings change"
        )),
    }
}

async fn close(bus: &Bus, integration: &str) -> Result<(), Failure> {
    let integration = IntegrationId::new(integration).map_err(Failure::new)?;
    let key = subjects::integration_breaker(&integration);
    let present = bus
        .get::<CircuitBreaker>(&LIMITS, &key)
        .await
        .map_err(Failure::new)?;
    let Some(present) = present.filter(|present| present.record.circuit != Circuit::Closed) else {
        return Err(Failure(format!(
            "the circuit breaker of {integration} is closed, or there is no such integration"
        )));
    };
    let record = CircuitBreaker {
        circuit: Circuit::Closed,
        ..present.record
    };
    bus.compare_and_set(&LIMITS, &key, present.revision, &record, TraceContext::new())
        .await
        .map_err(Failure::new)?;
    say!("{integration} is asked again");
    Ok(())
}
