//! What has been written down of all integrations, followed as it changes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, BusError, Change, TraceContext};
use proto_schemas::ids::IntegrationId;
use proto_schemas::limits::{Circuit, CircuitBreaker};
use proto_schemas::subjects;
use proto_schemas::topology::LIMITS;
use registry::Integration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::metrics::CallerMetrics;

/// Pause before a broken watch is opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(250);

/// The circuits of all integrations: one for the process.
pub(crate) struct Circuits {
    bus: Bus,
    metrics: Arc<CallerMetrics>,
    heard: Mutex<HashMap<IntegrationId, watch::Sender<Heard>>>,
}

/// What was heard last of one integration.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// What a compare-and-set names; 0 when there is nothing.
    pub(super) revision: u64,
    pub(super) record: Option<CircuitBreaker>,
    pub(super) at: Instant,
}

impl Circuits {
    pub(crate) fn new(bus: Bus, metrics: Arc<CallerMetrics>) -> Self {
        Self {
            bus,
            metrics,
            heard: Mutex::default(),
        }
    }

    /// Follows what is written, for as long as it is polled. Until all is heard, circuits count as closed.
    pub(crate) async fn follow(self: Arc<Self>) -> Result<(), Infallible> {
        loop {
            if let Err(error) = self.hear().await {
                tracing::debug!(%error, "the circuit breakers cannot be followed; trying again");
            }
            sleep(REOPEN_PAUSE).await;
        }
    }

    async fn hear(&self) -> Result<(), BusError> {
        // The broker may have lost the bucket with its memory.
        self.bus.ensure_bucket(&LIMITS).await?;
        self.bus
            .hear(&LIMITS, subjects::BREAKERS, |change| self.changed(&change))
            .await
    }

    fn changed(&self, change: &Change) {
        let Some(integration) = subjects::integration_of_breaker(&change.key) else {
            return;
        };
        let record = match change.value.as_deref().map(serde_json::from_slice).transpose() {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(key = change.key, %error, "a circuit breaker is unreadable; the last one stays");
                return;
            }
        };
        self.learn(&integration, change.revision, record);
    }

    /// What is known of an integration, and how to hear more.
    pub(super) fn of(&self, integration: &IntegrationId) -> watch::Sender<Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = || {
            self.metrics.circuit(integration, Circuit::Closed.as_str());
            watch::Sender::new(Heard {
                revision: 0,
                record: None,
                at: Instant::now(),
            })
        };
        heard.entry(integration.clone()).or_insert_with(nothing).clone()
    }

    fn learn(&self, integration: &IntegrationId, revision: u64, record: Option<CircuitBreaker>) {
        let state = record
            .as_ref()
            .map_or(&Circuit::Closed, |record| &record.circuit)
            .as_str();
        self.of(integration).send_if_modified(|heard| {
            // Told again when the watch was opened again: a pause does not begin anew.
            let is_news = heard.revision != revision;
            if is_news {
                *heard = Heard {
                    revision,
                    record,
                    at: Instant::now(),
                };
                self.metrics.circuit(integration, state);
            }
            is_news
        });
    }

    /// Writes what was found, if nothing was written since `revision`. Returns the new revision.
    ///
    /// # Errors
    /// [`BusError::Conflict`] when another was first; what it wrote is known then.
    pub(super) async fn write(
        &self,
        integration: &Integration,
        revision: u64,
        circuit: Circuit,
    ) -> Result<u64, BusError> {
        let key = subjects::integration_breaker(&integration.id);
        let record = CircuitBreaker {
            settings: integration.revision,
            circuit,
        };
        let written = self
            .bus
            .compare_and_set(&LIMITS, &key, revision, &record, TraceContext::new())
            .await;
        match written {
            Ok(revision) => {
                self.learn(&integration.id, revision, Some(record));
                Ok(revision)
            }
            Err(BusError::Conflict) => {
                // What is known may be gone: with the broker's memory, or by age.
                let present = self.bus.get::<CircuitBreaker>(&LIMITS, &key).await?;
                let (revision, record) = present.map_or((0, None), |p| (p.revision, Some(p.record)));
                self.learn(&integration.id, revision, record);
                Err(BusError::Conflict)
            }
            Err(error) => Err(error),
        }
    }
}
