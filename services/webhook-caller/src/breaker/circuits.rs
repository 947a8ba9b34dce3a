//! What has been written down of all integrations, followed as it changes.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, BusError, Change, TraceContext};
use proto_schemas::ids::IntegrationId;
use proto_schemas::limits::{Circuit, CircuitBreaker};
use proto_schemas::subjects;
use proto_schemas::topology::{LIMITS, bucket_stream};
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

/// How something was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    /// As one of many changes, in their order.
    Change,
    /// As what there is at the moment.
    Whole,
}

impl Circuits {
    pub(crate) fn new(bus: Bus, metrics: Arc<CallerMetrics>) -> Self {
        Self {
            bus,
            metrics,
            heard: Mutex::default(),
        }
    }

    /// Follows what is written, for as long as it is polled. What was not heard counts as closed.
    pub(crate) async fn follow(self: Arc<Self>) -> Result<(), Infallible> {
        let mut told = false;
        loop {
            match self.hear().await {
                Ok(()) => told = false,
                Err(error) if !told && *self.bus.connected().borrow() => {
                    tracing::warn!(%error, "the circuit breakers of other replicas are not heard; trying again");
                    told = true;
                }
                Err(error) => tracing::debug!(%error, "the circuit breakers are not heard"),
            }
            sleep(REOPEN_PAUSE).await;
        }
    }

    async fn hear(&self) -> Result<(), BusError> {
        // The broker may have lost the bucket with its memory.
        self.bus.ensure_bucket(&LIMITS).await?;
        self.read_all().await?;
        self.bus
            .hear(&LIMITS, subjects::BREAKERS, |change| self.changed(&change))
            .await
    }

    /// Takes what is written for what counts: what was lost with the bucket, or by age, nobody tells of.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away.
    pub(crate) async fn read_all(&self) -> Result<(), BusError> {
        let subject = subjects::key(LIMITS.name, subjects::BREAKERS);
        let mut absent = self.known();
        self.bus
            .each(&bucket_stream(&LIMITS), &subject, 1, |entry| {
                if let (Some(integration), Ok(record)) =
                    (subjects::integration_of_breaker(&entry.subject), entry.decode())
                {
                    absent.remove(&integration);
                    self.learn(&integration, entry.sequence, Some(record), News::Whole);
                }
            })
            .await?;
        for integration in absent {
            self.learn(&integration, 0, None, News::Whole);
        }
        Ok(())
    }

    fn known(&self) -> HashSet<IntegrationId> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.keys().cloned().collect()
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
        self.learn(&integration, change.revision, record, News::Change);
    }

    /// What is known of an integration, and how to hear more.
    pub(super) fn of(&self, integration: &IntegrationId) -> watch::Sender<Heard> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = || {
            self.show_closed(integration);
            watch::Sender::new(Heard {
                revision: 0,
                record: None,
                at: Instant::now(),
            })
        };
        heard.entry(integration.clone()).or_insert_with(nothing).clone()
    }

    fn learn(&self, integration: &IntegrationId, revision: u64, record: Option<CircuitBreaker>, news: News) {
        let circuit = record.as_ref().map_or(&Circuit::Closed, |record| &record.circuit);
        let state = circuit.as_str();
        self.of(integration).send_if_modified(|heard| {
            let is_news = match news {
                // Told late: it was written before what is known.
                News::Change => heard.revision < revision,
                // The same again: a pause does not begin anew.
                News::Whole => heard.revision != revision,
            };
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

    /// Shows an integration's circuit breaker as closed, whatever was found under other settings.
    pub(super) fn show_closed(&self, integration: &IntegrationId) {
        self.metrics.circuit(integration, Circuit::Closed.as_str());
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
                self.learn(&integration.id, revision, Some(record), News::Change);
                Ok(revision)
            }
            Err(BusError::Conflict) => {
                // What is known may be gone: with the broker's memory, or by age.
                let present = self.bus.get::<CircuitBreaker>(&LIMITS, &key).await?;
                let (revision, record) = present.map_or((0, None), |p| (p.revision, Some(p.record)));
                self.learn(&integration.id, revision, record, News::Whole);
                Err(BusError::Conflict)
            }
            Err(error) => Err(error),
        }
    }
}
