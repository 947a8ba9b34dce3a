//! The circuit breaker of an integration, for the whole cluster: what one replica finds of a webhook spares the others.
//!
//! A replica counts its own calls ([`domain::breaker`]). What it finds it writes down by compare-and-set, and all
//! follow what is written. A pause counts from when a replica hears of it, so no clocks are compared; whoever finds it
//! over takes the one call that tries the webhook out, again by compare-and-set.

mod circuits;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::BusError;
use domain::breaker::{Threshold, Window, pause};
use proto_schemas::limits::{Circuit, CircuitBreaker};
use proto_schemas::topology::LIMITS;
use registry::Integration;
use tokio::sync::watch;
use tokio::time::Instant;

pub(crate) use circuits::Circuits;
use circuits::Heard;

use crate::error::{CallError, Sign};

/// By how much the one who tries a webhook out may exceed its deadline before another does.
const TRIAL_MARGIN: Duration = Duration::from_secs(5);

/// Why a webhook is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It fails; it may be tried out after this.
    Open(Duration),
    /// It said that it is gone for good.
    Gone,
}

/// The breaker of one integration, as one replica sees it.
pub(crate) struct Breaker {
    circuits: Arc<Circuits>,
    integration: Arc<Integration>,
    heard: watch::Sender<Heard>,
    own: Mutex<Own>,
    /// Whether this replica is about to try the webhook out.
    trying: AtomicBool,
    since: Instant,
}

/// What this replica has counted.
#[derive(Default)]
struct Own {
    window: Window,
    /// The revision under which it was counted: what was before an opening does not count after it.
    revision: u64,
}

/// What a call says of the webhook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding {
    /// The class of its error, if it failed.
    pub(crate) class: Option<&'static str>,
    sign: Sign,
}

impl Finding {
    pub(crate) fn of(error: Option<&CallError>) -> Self {
        Self {
            class: error.map(|error| error.class),
            sign: error.map_or(Sign::Answers, CallError::sign),
        }
    }
}

/// How the breaker stands.
enum Standing {
    Closed {
        revision: u64,
    },
    Refused(Refusal),
    Due {
        revision: u64,
        times: u32,
        class: String,
    },
}

/// Leave to make one call.
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    revision: u64,
    trial: Option<Trial<'a>>,
}

/// The call that tries the webhook out.
struct Trial<'a> {
    breaker: &'a Breaker,
    times: u32,
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.breaker.trying.store(false, Ordering::Relaxed);
    }
}

impl Breaker {
    pub(crate) fn new(circuits: Arc<Circuits>, integration: Arc<Integration>) -> Self {
        let breaker = Self {
            heard: circuits.of(&integration.id),
            circuits,
            integration,
            own: Mutex::default(),
            trying: AtomicBool::new(false),
            since: Instant::now(),
        };
        if let Standing::Closed { .. } = breaker.standing() {
            breaker.circuits.show_closed(&breaker.integration.id);
        }
        breaker
    }

    /// Tells when something was heard of the webhook.
    pub(crate) fn news(&self) -> watch::Receiver<Heard> {
        self.heard.subscribe()
    }

    /// Why no call may be made now, if so. When a trial is due, whoever asks may [`enter`](Self::enter).
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self.standing() {
            Standing::Closed { .. } | Standing::Due { .. } => None,
            Standing::Refused(refusal) => Some(refusal),
        }
    }

    /// Asks for leave to make a call.
    ///
    /// # Errors
    /// [`Refusal`] when there is none.
    pub(crate) async fn enter(&self) -> Result<Pass<'_>, Refusal> {
        match self.standing() {
            Standing::Closed { revision } => Ok(Pass {
                breaker: self,
                revision,
                trial: None,
            }),
            Standing::Refused(refusal) => Err(refusal),
            // Boxed: rare, and it would take up room in each call in flight.
            Standing::Due {
                revision,
                times,
                class,
            } => Box::pin(self.try_out(revision, times, class)).await,
        }
    }

    fn standing(&self) -> Standing {
        let heard = self.heard.borrow();
        let revision = heard.revision;
        let of_these_settings = |record: &&CircuitBreaker| record.settings == self.integration.revision;
        let Some(record) = heard.record.as_ref().filter(of_these_settings) else {
            return Standing::Closed { revision };
        };
        let (rest, longest_wait, times, class) = match &record.circuit {
            Circuit::Closed => return Standing::Closed { revision },
            // By then the record has aged out, and it is asked whether that still holds.
            Circuit::Gone if LIMITS.ttl.is_some_and(|ttl| heard.at.elapsed() > ttl) => {
                return Standing::Closed { revision };
            }
            Circuit::Gone => return Standing::Refused(Refusal::Gone),
            Circuit::Open {
                pause_millis,
                times,
                class,
            } => (*pause_millis, Duration::MAX, *times, class),
            // If it goes well, what waits is wanted soon.
            Circuit::HalfOpen {
                lease_millis,
                times,
                class,
            } => (*lease_millis, self.first_pause(), *times, class),
        };
        let over = heard.at + Duration::from_millis(rest);
        let left = over.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Standing::Refused(Refusal::Open(left.min(longest_wait)));
        }
        if self.trying.load(Ordering::Relaxed) {
            return Standing::Refused(Refusal::Open(self.first_pause()));
        }
        Standing::Due {
            revision,
            times,
            class: class.clone(),
        }
    }

    fn first_pause(&self) -> Duration {
        self.integration.limits.breaker.pause.0
    }

    async fn try_out(&self, revision: u64, times: u32, class: String) -> Result<Pass<'_>, Refusal> {
        if self.trying.swap(true, Ordering::Relaxed) {
            return Err(Refusal::Open(self.first_pause()));
        }
        let trial = Trial { breaker: self, times };
        let lease = self.integration.timeout.0 + TRIAL_MARGIN;
        let half_open = Circuit::HalfOpen {
            lease_millis: millis(lease),
            times,
            class,
        };
        match self.circuits.write(&self.integration, revision, half_open).await {
            Ok(revision) => Ok(Pass {
                breaker: self,
                revision,
                trial: Some(trial),
            }),
            Err(error) => {
                tracing::debug!(%error, integration = self.integration.id.as_str(), "the webhook is not tried out here");
                Err(Refusal::Open(self.first_pause()))
            }
        }
    }

    /// Counts a call; true when too many have failed.
    fn count(&self, revision: u64, failed: bool) -> bool {
        let breaker = &self.integration.limits.breaker;
        if !breaker.enabled || self.heard.borrow().revision != revision {
            return false;
        }
        let threshold = Threshold {
            calls: breaker.calls,
            percent: breaker.percent,
        };
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.revision != revision {
            *own = Own {
                window: Window::default(),
                revision,
            };
        }
        own.window.count(self.since.elapsed(), failed, &threshold)
    }

    fn open(&self, times: u32, class: &str) -> Circuit {
        Circuit::Open {
            pause_millis: millis(pause(self.first_pause(), times)),
            times,
            class: class.to_owned(),
        }
    }

    async fn found(&self, revision: u64, circuit: Circuit) {
        let (integration, state) = (self.integration.id.as_str(), circuit.as_str());
        match self.circuits.write(&self.integration, revision, circuit).await {
            Ok(_) => tracing::warn!(
                integration,
                state,
                "the circuit breaker of the integration changed"
            ),
            Err(BusError::Conflict) => {
                tracing::debug!(integration, state, "another replica has found otherwise")
            }
            Err(error) => tracing::warn!(integration, state, %error, "the circuit breaker cannot be shared"),
        }
    }
}

impl Pass<'_> {
    /// Takes note of what came of the call.
    pub(crate) async fn settle(self, finding: Finding) {
        let (breaker, revision) = (self.breaker, self.revision);
        let class = finding.class.unwrap_or_default();
        let found = match (finding.sign, &self.trial) {
            (Sign::Gone, _) => Some(Circuit::Gone),
            (Sign::Answers, Some(_)) => Some(Circuit::Closed),
            (Sign::Fails, Some(trial)) => Some(breaker.open(trial.times.saturating_add(1), class)),
            // The lease of the trial runs out.
            (Sign::Nothing, _) => None,
            (sign @ (Sign::Answers | Sign::Fails), None) => breaker
                .count(revision, sign == Sign::Fails)
                .then(|| breaker.open(1, class)),
        };
        if let Some(circuit) = found {
            Box::pin(breaker.found(revision, circuit)).await;
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
