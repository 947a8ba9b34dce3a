//! One actor per integration: its mailbox, its rate, its concurrency. What one backend does to its actor is
//! felt by its own bots only.

use std::sync::Arc;
use std::time::Duration;

use domain::rate::Rate;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use outbound::{Client, Stopwatch};
use proto_schemas::context::TurnResult;
use proto_schemas::ids::IntegrationId;
use registry::{Integration, IntegrationLimits};
use runtime::actor::{self, Directory, Mailbox};
use runtime::task::Tasks;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::call::call;
use crate::client::Clients;
use crate::error::CallError;
use crate::limit::{Limiter, Limits};
use crate::metrics::CallerMetrics;
use crate::request::Prepared;

/// The most of the service's places that one integration takes up, with calls in flight or waiting: one part in
/// so many. A backend that never answers leaves the rest to others.
const SHARE: usize = 16;
/// The time after which a call that found no room tries again, if no rate says otherwise.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// The shortest, whatever the rate.
const BUSY_PAUSE_FLOOR: Duration = Duration::from_millis(250);
/// The longest.
const BUSY_PAUSE_CAP: Duration = Duration::from_secs(60);

/// A call that waits for its turn.
struct Job {
    prepared: Prepared,
    since: Instant,
    answer: oneshot::Sender<Answer>,
    /// Of a test: a client of its own, and who is told that the call begins.
    own: Option<(Client, oneshot::Sender<()>)>,
}

/// A call that was made.
pub(crate) struct Answer {
    pub(crate) result: Result<TurnResult, CallError>,
    pub(crate) took: Duration,
}

/// Why no call was made. Spends no attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotCalled {
    /// As many wait as may wait; there may be room after this.
    Busy(Duration),
    /// The actor died with the call; it is rebuilt.
    Lost,
}

/// The actors.
pub(crate) struct Integrations {
    actors: Directory<IntegrationId, Arc<Integration>, Job>,
    client: Arc<Client>,
    places: usize,
    limits: Arc<Limits>,
    tasks: Tasks,
    metrics: Arc<CallerMetrics>,
}

impl Integrations {
    pub(crate) fn new(
        client: Client,
        places: usize,
        limits: Arc<Limits>,
        tasks: Tasks,
        metrics: Arc<CallerMetrics>,
    ) -> Self {
        Self {
            actors: Directory::default(),
            client: Arc::new(client),
            places,
            limits,
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
        self.offer(integration, prepared, None)?
            .await
            .map_err(|_| NotCalled::Lost)
    }

    /// Makes a call by a client of its own, whose parts are timed. It waits for the integration's limits for at most
    /// `patience`; none when it was in vain.
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
                let (result, took) = (Err(error), Duration::ZERO);
                return Ok(Some(Answer { result, took }));
            }
        };
        let (begin, begun) = oneshot::channel();
        let answered = self.offer(integration, prepared, Some((client, begin)))?;
        // Who does not hear of the beginning has taken the call back.
        match tokio::time::timeout(patience, begun).await {
            Ok(Ok(())) => answered.await.map(Some).map_err(|_| NotCalled::Lost),
            Ok(Err(_)) => Err(NotCalled::Lost),
            Err(_) => Ok(None),
        }
    }

    fn offer(
        &self,
        integration: &Arc<Integration>,
        prepared: Prepared,
        own: Option<(Client, oneshot::Sender<()>)>,
    ) -> Result<oneshot::Receiver<Answer>, NotCalled> {
        let mailbox = self
            .actors
            .find(&integration.id, integration, |settings| self.build(settings));
        let (answer, answered) = oneshot::channel();
        match mailbox.offer(Job {
            prepared,
            since: Instant::now(),
            answer,
            own,
        }) {
            Ok(()) => Ok(answered),
            Err(actor::Undelivered::Full) => Err(NotCalled::Busy(busy_pause(integration, self.places))),
            Err(actor::Undelivered::Gone) => Err(NotCalled::Lost),
        }
    }

    fn build(&self, settings: Arc<Integration>) -> Mailbox<Job> {
        let in_flight = in_flight(&settings, self.places);
        // As many may wait; more wait in the broker.
        let capacity = in_flight;
        let (client, metrics) = (Arc::clone(&self.client), Arc::clone(&self.metrics));
        let limiter =
            rate(&settings.limits).map(|rate| Limiter::new(Arc::clone(&self.limits), &settings.id, rate));
        actor::spawn(&self.tasks, capacity, move |mailbox| {
            run(mailbox, settings, in_flight, limiter, client, metrics)
        })
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

/// When there may be room again: the time in which the rate lets through what waits already.
fn busy_pause(integration: &Integration, places: usize) -> Duration {
    let waiting = u32::try_from(in_flight(integration, places)).unwrap_or(u32::MAX);
    let implied = rate(&integration.limits).map_or(BUSY_PAUSE, |rate| rate.time_of(waiting));
    implied.clamp(BUSY_PAUSE_FLOOR, BUSY_PAUSE_CAP)
}

/// Takes calls as the limits allow, until nobody can send any more and all are answered.
async fn run(
    mut mailbox: mpsc::Receiver<Job>,
    integration: Arc<Integration>,
    concurrency: usize,
    mut limiter: Option<Limiter>,
    client: Arc<Client>,
    metrics: Arc<CallerMetrics>,
) {
    let mut clients = Clients::new(client, &integration);
    let (mut in_flight, mut held, mut open) = (FuturesUnordered::new(), None, true);
    while open || !in_flight.is_empty() {
        tokio::select! {
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            job = next_allowed(&mut mailbox, &mut held, limiter.as_mut()),
                if open && in_flight.len() < concurrency => match job {
                    Some(job) => {
                        metrics.waited(job.since.elapsed());
                        in_flight.push(make(job, clients.get(), &integration, &metrics));
                    }
                    None => open = false,
                },
        }
    }
}

/// The next call that the rate allows. What was taken from the mailbox stays in `held` when this is dropped
/// half-way.
async fn next_allowed(
    mailbox: &mut mpsc::Receiver<Job>,
    held: &mut Option<Job>,
    limiter: Option<&mut Limiter>,
) -> Option<Job> {
    if held.is_none() {
        *held = Some(mailbox.recv().await?);
    }
    if let Some(limiter) = limiter {
        limiter.permit(mailbox.len() + 1).await;
    }
    held.take()
}

async fn make(
    job: Job,
    client: Result<Arc<Client>, CallError>,
    integration: &Integration,
    metrics: &CallerMetrics,
) {
    let client = match job.own {
        Some((own, begin)) => match begin.send(()) {
            Ok(()) => Ok(Arc::new(own)),
            // The test ran out of patience.
            Err(()) => return,
        },
        None => client,
    };
    let began = Instant::now();
    let result = match client {
        Ok(client) => call(&client, &integration.url, integration.timeout.0, job.prepared).await,
        Err(error) => Err(error),
    };
    let took = began.elapsed();
    metrics.called(result.as_ref().err().map(|error| error.class), took);
    // Nobody listens any more only when the process ends without a drain; the turn comes again then.
    let _unheard = job.answer.send(Answer { result, took });
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
    fn what_finds_no_room_comes_again_when_the_rate_has_made_some() {
        let pause = |limits| {
            let settings = serde_json::json!({"id": "i", "url": "https://a.example/", "limits": limits});
            busy_pause(&serde_json::from_value(settings).unwrap(), 20_000)
        };
        assert_eq!(pause(serde_json::json!({})), BUSY_PAUSE);
        assert_eq!(
            pause(serde_json::json!({"per_second": 500})),
            Duration::from_millis(512)
        );
        assert_eq!(
            pause(serde_json::json!({"per_second": 100_000})),
            BUSY_PAUSE_FLOOR
        );
        assert_eq!(pause(serde_json::json!({"per_minute": 1})), BUSY_PAUSE_CAP);
    }

    #[test]
    fn an_integration_has_its_own_limit_within_its_share_of_the_places() {
        assert_eq!(allowed(256, 20_000), 256);
        assert_eq!(allowed(100_000, 3200), 100);
        assert_eq!(allowed(100_000, 1), 1);
    }
}
