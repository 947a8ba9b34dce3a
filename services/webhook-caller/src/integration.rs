//! One actor per integration: its mailbox, its rate, its concurrency. What one backend does to its actor is
//! felt by its own bots only.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use outbound::Client;
use proto_schemas::context::TurnResult;
use proto_schemas::ids::IntegrationId;
use registry::Integration;
use runtime::actor::{self, Directory, Mailbox};
use runtime::task::Tasks;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::call::call;
use crate::client::Clients;
use crate::error::CallError;
use crate::metrics::CallerMetrics;
use crate::request::Prepared;

/// The most of the service's places that one integration takes up, with calls in flight or waiting: one part in
/// so many. A backend that never answers leaves the rest to others.
const SHARE: usize = 16;
/// The shortest time after which a call that found no room tries again, if no rate says more.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const BUSY_PAUSE_CAP: Duration = Duration::from_secs(60);

/// A call that waits for its turn.
struct Job {
    prepared: Prepared,
    since: Instant,
    answer: oneshot::Sender<Answer>,
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
    client: Client,
    places: usize,
    tasks: Tasks,
    metrics: Arc<CallerMetrics>,
}

impl Integrations {
    pub(crate) fn new(client: Client, places: usize, tasks: Tasks, metrics: Arc<CallerMetrics>) -> Self {
        Self {
            actors: Directory::default(),
            client,
            places,
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
        let mailbox = self
            .actors
            .find(&integration.id, integration, |settings| self.build(settings));
        let (answer, answered) = oneshot::channel();
        match mailbox.offer(Job {
            prepared,
            since: Instant::now(),
            answer,
        }) {
            Ok(()) => answered.await.map_err(|_| NotCalled::Lost),
            Err(actor::Undelivered::Full) => Err(NotCalled::Busy(busy_pause(integration))),
            Err(actor::Undelivered::Gone) => Err(NotCalled::Lost),
        }
    }

    fn build(&self, settings: Arc<Integration>) -> Mailbox<Job> {
        let in_flight = in_flight(&settings, self.places);
        // As many may wait; more wait in the broker.
        let capacity = in_flight;
        let (client, metrics) = (self.client.clone(), Arc::clone(&self.metrics));
        actor::spawn(&self.tasks, capacity, move |mailbox| {
            run(mailbox, settings, in_flight, client, metrics)
        })
    }
}

/// How many calls of an integration may be in flight: its own limit, within its share of all places.
fn in_flight(integration: &Integration, places: usize) -> usize {
    let own = usize::try_from(integration.limits.concurrency).unwrap_or(usize::MAX);
    own.min(places / SHARE / 2).max(1)
}

/// When there may be room again: the time in which the limit lets through what waits already.
fn busy_pause(integration: &Integration) -> Duration {
    let waiting = integration.limits.concurrency;
    let implied = integration.limits.per_second.map_or(BUSY_PAUSE, |rate| {
        Duration::from_secs_f64(f64::from(waiting) / f64::from(rate.max(1)))
    });
    implied.clamp(BUSY_PAUSE, BUSY_PAUSE_CAP)
}

/// Takes calls as the limits allow, until nobody can send any more and all are answered.
async fn run(
    mut mailbox: mpsc::Receiver<Job>,
    integration: Arc<Integration>,
    concurrency: usize,
    client: Client,
    metrics: Arc<CallerMetrics>,
) {
    let limiter = limiter(&integration);
    let mut clients = Clients::new(client, &integration);
    let (mut in_flight, mut held, mut open) = (FuturesUnordered::new(), None, true);
    while open || !in_flight.is_empty() {
        tokio::select! {
            biased;
            Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
            job = next_allowed(&mut mailbox, &mut held, limiter.as_ref()),
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
    limiter: Option<&DefaultDirectRateLimiter>,
) -> Option<Job> {
    if held.is_none() {
        *held = Some(mailbox.recv().await?);
    }
    if let Some(limiter) = limiter {
        limiter.until_ready().await;
    }
    held.take()
}

async fn make(
    job: Job,
    client: Result<Client, CallError>,
    integration: &Integration,
    metrics: &CallerMetrics,
) {
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

fn limiter(integration: &Integration) -> Option<DefaultDirectRateLimiter> {
    let per_second = NonZeroU32::new(integration.limits.per_second?)?;
    let burst = integration
        .limits
        .burst
        .and_then(NonZeroU32::new)
        .unwrap_or(per_second);
    Some(RateLimiter::direct(
        Quota::per_second(per_second).allow_burst(burst),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(concurrency: u32, places: usize) -> usize {
        let settings = serde_json::json!({"id": "i", "url": "https://a.example/",
            "limits": {"concurrency": concurrency}});
        in_flight(&serde_json::from_value(settings).unwrap(), places)
    }

    #[test]
    fn an_integration_has_its_own_limit_within_its_share_of_the_places() {
        assert_eq!(allowed(256, 20_000), 256);
        assert_eq!(allowed(100_000, 3200), 100);
        assert_eq!(allowed(100_000, 1), 1);
    }
}
