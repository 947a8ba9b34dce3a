//! The actor of one integration: takes calls as its limits and its circuit breaker allow.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use outbound::Client;
use registry::Integration;
use runtime::limit::Limiter;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Answer, Job, NotCalled, Trial};
use crate::breaker::{Breaker, Finding, Refusal};
use crate::call::call;
use crate::client::Clients;
use crate::error::{CIRCUIT_OPEN, CallError, DISABLED};
use crate::metrics::IntegrationMetrics;

/// What an actor works with.
pub(super) struct Actor {
    pub(super) integration: Arc<Integration>,
    pub(super) concurrency: usize,
    pub(super) clients: Clients,
    pub(super) breaker: Breaker,
    pub(super) metrics: IntegrationMetrics,
}

impl Actor {
    /// Takes calls until nobody can send any more and all are answered.
    pub(super) async fn run(self, mut mailbox: mpsc::Receiver<Job>, mut limiter: Option<Limiter>) {
        let Self {
            integration,
            concurrency,
            mut clients,
            breaker,
            metrics,
        } = self;
        let call = Call {
            integration: &integration,
            breaker: &breaker,
            metrics: &metrics,
        };
        let mut news = breaker.news();
        let (mut in_flight, mut held, mut open) = (FuturesUnordered::new(), None, true);
        while open || !in_flight.is_empty() {
            let room = in_flight.len() < concurrency;
            tokio::select! {
                biased;
                Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
                // What waits for room or for the rate is told at once. The sender lives as long as the breaker.
                _ = news.changed() => {}
                job = next_allowed(&mut mailbox, &mut held, &breaker, limiter.as_mut()),
                    if open && (room || breaker.refusal().is_some()) => match job {
                        Some(job) => match breaker.refusal() {
                            Some(refusal) if job.trial.is_none() || !room => call.refuse(job, refusal),
                            Some(_) | None => in_flight.push(call.make(job, clients.get())),
                        },
                        None => open = false,
                    },
            }
        }
    }
}

/// The next call that the rate allows, or that is to be refused. What was taken from the mailbox stays in `held` when
/// this is dropped half-way.
async fn next_allowed(
    mailbox: &mut mpsc::Receiver<Job>,
    held: &mut Option<Job>,
    breaker: &Breaker,
    mut limiter: Option<&mut Limiter>,
) -> Option<Job> {
    loop {
        let job = match held {
            Some(job) => job,
            None => held.insert(mailbox.recv().await?),
        };
        let Some(limiter) = limiter.as_deref_mut() else {
            break;
        };
        let permit = limiter.permit(mailbox.len() + 1);
        match &mut job.trial {
            Some(trial) => tokio::select! {
                biased;
                // The test has run out of patience; it takes no call's place.
                () = trial.begins.closed() => *held = None,
                () = permit => break,
            },
            None => {
                if breaker.refusal().is_none() {
                    permit.await;
                }
                break;
            }
        }
    }
    held.take()
}

/// What the calls in flight share.
#[derive(Clone, Copy)]
struct Call<'a> {
    integration: &'a Integration,
    breaker: &'a Breaker,
    metrics: &'a IntegrationMetrics,
}

impl Call<'_> {
    async fn make(self, mut job: Job, client: Result<Arc<Client>, CallError>) {
        if let Some(trial) = job.trial.take() {
            return Box::pin(self.try_out(job, *trial)).await;
        }
        let pass = match self.breaker.enter().await {
            Ok(pass) => pass,
            Err(refusal) => return self.refuse(job, refusal),
        };
        let finding = self.ask(job, client).await;
        pass.settle(finding).await;
    }

    /// A test asks whatever the breaker says, and the breaker learns nothing by it.
    async fn try_out(self, job: Job, trial: Trial) {
        // Otherwise the test ran out of patience.
        if trial.begins.send(()).is_ok() {
            self.ask(job, Ok(Arc::new(trial.client))).await;
        }
    }

    async fn ask(self, job: Job, client: Result<Arc<Client>, CallError>) -> Finding {
        self.metrics.waited(job.since.elapsed());
        self.metrics.calls();
        let began = Instant::now();
        let integration = self.integration;
        let called = match client {
            Ok(client) => call(&client, &integration.url, integration.timeout.0, job.prepared).await,
            Err(error) => Err(error),
        };
        let took = began.elapsed();
        let finding = Finding::of(called.as_ref().err());
        self.metrics.called(finding.class, took);
        let status = called
            .as_ref()
            .map_or_else(|error| error.status, |(status, _)| Some(*status));
        let result = called.map(|(_, reply)| reply);
        // Nobody listens any more only when the process ends without a drain; the turn comes again then.
        let _unheard = job.answer.send(Ok(Answer { result, status, took }));
        finding
    }

    fn refuse(self, job: Job, refusal: Refusal) {
        self.metrics.refused(match refusal {
            Refusal::Open(_) => CIRCUIT_OPEN,
            Refusal::Gone => DISABLED,
        });
        let _unheard = job.answer.send(Err(NotCalled::Refused(refusal)));
    }
}
