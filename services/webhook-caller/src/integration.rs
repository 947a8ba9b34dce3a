//! One actor per integration: its mailbox, its rate, its concurrency, its circuit breaker. What one backend does to its
//! actor is felt by its own bots only.

mod actor;
mod line;

use std::sync::Arc;
use std::time::Duration;

use domain::rate::Rate;
use outbound::{Client, Stopwatch};
use proto_schemas::context::TurnResult;
use proto_schemas::ids::IntegrationId;
use proto_schemas::subjects;
use registry::{Integration, IntegrationLimits};
use runtime::actor::{Directory, Mailbox, Undelivered, spawn};
use runtime::limit::{Limiter, Limits};
use runtime::task::Tasks;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::breaker::{Breaker, Circuits, Refusal};
use crate::client::Clients;
use crate::error::CallError;
use crate::metrics::CallerMetrics;
use crate::request::Prepared;
use actor::Actor;
use line::Lines;

/// The most of the service's places that one integration takes up, with calls in flight or waiting: one part in
/// so many. A backend that never answers leaves the rest to others.
const SHARE: usize = 16;
/// In which time as many calls as may wait are taken to be made, until it is known.
const GUESSED_DRAIN: Duration = Duration::from_secs(1);

/// A call that waits for its turn.
struct Job {
    prepared: Prepared,
    since: Instant,
    answer: oneshot::Sender<Result<Answer, NotCalled>>,
    /// Whether it is a test.
    trial: Option<Box<Trial>>,
}

/// What a test of an integration brings along.
struct Trial {
    /// A client of its own, whose parts are timed.
    client: Client,
    /// Who is told that the call begins.
    begins: oneshot::Sender<()>,
}

/// A call that was made.
pub(crate) struct Answer {
    pub(crate) result: Result<TurnResult, CallError>,
    /// The HTTP status, if there was an answer.
    pub(crate) status: Option<u16>,
    pub(crate) took: Duration,
}

/// Why no call was made. Spends no attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotCalled {
    /// As many wait as may wait; there may be room after this.
    Busy(Duration),
    /// Its circuit breaker says so.
    Refused(Refusal),
    /// The actor died with the call; it is rebuilt.
    Lost,
}

/// The actors.
pub(crate) struct Integrations {
    actors: Directory<IntegrationId, Arc<Integration>, Job>,
    client: Arc<Client>,
    places: usize,
    lines: Lines,
    cluster: Cluster,
    tasks: Tasks,
    metrics: Arc<CallerMetrics>,
}

/// What all replicas keep to together.
pub(crate) struct Cluster {
    pub(crate) limits: Arc<Limits>,
    pub(crate) circuits: Arc<Circuits>,
}

impl Integrations {
    pub(crate) fn new(
        client: Client,
        places: usize,
        cluster: Cluster,
        tasks: Tasks,
        metrics: Arc<CallerMetrics>,
    ) -> Self {
        Self {
            actors: Directory::default(),
            client: Arc::new(client),
            places,
            lines: Lines::default(),
            cluster,
            tasks,
            metrics,
        }
    }

    /// Makes a call when the integration's limits allow it.
    pub(crate) async fn call(
        &self,
        integration: &Arc<Integration>,
        prepared: Prepared,
    ) -> Result<Answer, NotCalled> {
        let answered = self.offer(integration, prepared, None)?.await;
        let answer = answered.map_err(|_| NotCalled::Lost)??;
        self.lines.one_less(&integration.id, Instant::now());
        Ok(answer)
    }

    /// Makes a call by a client of its own, whose parts are timed, also of a webhook that is left in peace. It waits for
    /// the integration's limits for at most `patience`; none when it was in vain.
    pub(crate) async fn try_out(
        &self,
        integration: &Arc<Integration>,
        prepared: Prepared,
        stopwatch: Arc<Stopwatch>,
        patience: Duration,
    ) -> Result<Option<Answer>, NotCalled> {
        let client = match Clients::new(Arc::clone(&self.client), integration).timed(stopwatch) {
            Ok(client) => client,
            Err(error) => {
                return Ok(Some(Answer {
                    result: Err(error),
                    status: None,
                    took: Duration::ZERO,
                }));
            }
        };
        let (begins, begun) = oneshot::channel();
        let trial = Box::new(Trial { client, begins });
        let answered = self.offer(integration, prepared, Some(trial))?;
        // Who does not hear of the beginning has taken the call back.
        match tokio::time::timeout(patience, begun).await {
            Ok(_) => answered.await.map_err(|_| NotCalled::Lost)?.map(Some),
            Err(_) => Ok(None),
        }
    }

    fn offer(
        &self,
        integration: &Arc<Integration>,
        prepared: Prepared,
        trial: Option<Box<Trial>>,
    ) -> Result<oneshot::Receiver<Result<Answer, NotCalled>>, NotCalled> {
        let mailbox = self
            .actors
            .find(&integration.id, integration, |settings| self.build(settings));
        let (answer, answered) = oneshot::channel();
        match mailbox.offer(Job {
            prepared,
            since: Instant::now(),
            answer,
            trial,
        }) {
            Ok(()) => Ok(answered),
            Err(Undelivered::Full) => Err(NotCalled::Busy(self.place_in_line(integration))),
            Err(Undelivered::Gone) => Err(NotCalled::Lost),
        }
    }

    fn place_in_line(&self, integration: &Integration) -> Duration {
        let waiting = u32::try_from(in_flight(integration, self.places)).unwrap_or(u32::MAX);
        let guess = rate(&integration.limits).map_or(GUESSED_DRAIN / waiting, |rate| rate.time_of(1));
        self.lines.place(&integration.id, Instant::now(), waiting, guess)
    }

    fn build(&self, settings: Arc<Integration>) -> Mailbox<Job> {
        let concurrency = in_flight(&settings, self.places);
        // As many may wait; more wait in the broker.
        let capacity = concurrency;
        let limiter = rate(&settings.limits).map(|rate| {
            let key = subjects::integration_rate(&settings.id);
            Limiter::new(Arc::clone(&self.cluster.limits), &key, rate)
        });
        let actor = Actor {
            clients: Clients::new(Arc::clone(&self.client), &settings),
            breaker: Breaker::new(Arc::clone(&self.cluster.circuits), Arc::clone(&settings)),
            metrics: self.metrics.of(&settings.id),
            integration: settings,
            concurrency,
        };
        spawn(&self.tasks, capacity, move |mailbox| actor.run(mailbox, limiter))
    }
}

/// How many calls of an integration may be in flight: its own limit, within its share of all places.
fn in_flight(integration: &Integration, places: usize) -> usize {
    let own = usize::try_from(integration.limits.concurrency).unwrap_or(usize::MAX);
    own.min(places / SHARE / 2).max(1)
}

/// The rate that an integration is limited to, if it is.
fn rate(limits: &IntegrationLimits) -> Option<Rate> {
    let (calls, per) = match (limits.per_second, limits.per_minute) {
        (Some(calls), _) => (calls, Duration::from_secs(1)),
        (None, Some(calls)) => (calls, Duration::from_secs(60)),
        (None, None) => return None,
    };
    let in_a_second = || u64::from(calls).div_ceil(per.as_secs());
    let burst = limits
        .burst
        .unwrap_or_else(|| u32::try_from(in_a_second()).unwrap_or(u32::MAX));
    Some(Rate {
        calls: calls.max(1),
        per,
        burst: burst.max(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(concurrency: u32, places: usize) -> usize {
        let settings = serde_json::json!({"id": "i", "url": "https://a.example/",
            "limits": {"concurrency": concurrency}});
        in_flight(&serde_json::from_value(settings).unwrap(), places)
    }

    fn limits(json: serde_json::Value) -> IntegrationLimits {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_rate_is_by_the_second_or_by_the_minute_with_a_second_of_it_at_once() {
        let shown = |json| rate(&limits(json)).map(|rate| (rate.calls, rate.per.as_secs(), rate.burst));
        assert_eq!(shown(serde_json::json!({})), None);
        assert_eq!(shown(serde_json::json!({"per_second": 5})), Some((5, 1, 5)));
        assert_eq!(shown(serde_json::json!({"per_minute": 90})), Some((90, 60, 2)));
        assert_eq!(
            shown(serde_json::json!({"per_minute": 90, "burst": 9})),
            Some((90, 60, 9))
        );
    }

    #[test]
    fn an_integration_has_its_own_limit_within_its_share_of_the_places() {
        assert_eq!(allowed(256, 20_000), 256);
        assert_eq!(allowed(100_000, 3200), 100);
        assert_eq!(allowed(100_000, 1), 1);
    }
}
