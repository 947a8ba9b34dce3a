//! Runs a stage: takes work, keeps it alive, settles it by its outcome. The only place that settles.
//!
//! | the stage returns | the runner does |
//! |---|---|
//! | done, duplicate | ack |
//! | retry | nak with a delay; nothing when the work was taken for dead |
//! | give up, or undecodable | dead letter confirmed, outcome committed, then term |
//! | panic | as retry |
//! | fatal | leaves it unacked and ends the service |

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, OpenSpan, Published, TraceContext, Work, WorkStream};
use domain::retry;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use proto_schemas::topology::ConsumerSpec;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::attempts::first_success;
use crate::burial::{self, Remains};
use crate::health::Pulse;
use crate::lease::{Lease, Tenure, standstill};
use crate::metrics::StageMetrics;
use crate::stage::{GiveUp, Job, Outcome, Stage};
use crate::task::panic_text;
use crate::{clock, random, span};

/// Pause before the next attempt to open a pull, whether the last one has ended or not.
const REOPEN_PAUSE: Duration = Duration::from_millis(200);
/// So many failed attempts to open a pull are a line in the log: every ten seconds or so.
const TELL_EVERY: u32 = 50;
/// How often the loop shows life at least.
const PULSE: Duration = Duration::from_secs(1);
/// Signs of life to the server, per `ack_wait`. The first comes after a quarter: most work is done before.
const KEEP_ALIVES_PER_ACK_WAIT: u32 = 4;
/// The most messages pulled ahead. They wait without a sign of life, so they must be few.
const MAX_BATCH: usize = 256;

/// A stage on its consumer.
pub struct Runner<S> {
    /// The stage.
    pub stage: Arc<S>,
    /// Its name, for dead letters.
    pub name: proto_schemas::dead_letter::Stage,
    /// Where its work comes from.
    pub consumer: ConsumerSpec,
    /// How many messages it handles at once.
    pub concurrency: usize,
    /// The broker.
    pub bus: Bus,
    /// What it counts.
    pub metrics: StageMetrics,
    /// Shows that its loop goes round.
    pub pulse: Pulse,
    /// The signal to take no more work.
    pub shutdown: CancellationToken,
}

/// A pull that stands.
struct Pull {
    stream: WorkStream,
    ack_wait: Duration,
    tenure: Tenure,
}

impl Pull {
    /// Why what it was handed may be another's by now; `looked` is when its buffer was looked into last.
    fn is_stale(&self, looked: Instant) -> Option<&'static str> {
        if !self.tenure.lasts() {
            return Some("the broker was lost, or not heard for long");
        }
        (looked.elapsed() >= standstill(self.ack_wait)).then_some("took nothing for long")
    }
}

/// The process cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Fatal(String);

impl<S: Stage> Runner<S> {
    /// Takes work until shutdown, then finishes what is in flight.
    ///
    /// # Errors
    /// [`Fatal`] when the stage says that the process cannot go on.
    pub async fn run(self) -> Result<(), Fatal> {
        let (current, tenures) = watch::channel(None);
        tokio::select! {
            ended = self.take_work(&current) => ended,
            never = self.prove(tenures) => match never {},
        }
    }

    /// Asks the broker again and again for something, to know that it has heard what was said before.
    async fn prove(&self, mut tenures: watch::Receiver<Option<Tenure>>) -> Infallible {
        loop {
            let tenure = tenures.borrow_and_update().clone();
            let Some(tenure) = tenure.filter(Tenure::lasts) else {
                if tenures.changed().await.is_err() {
                    return std::future::pending().await;
                }
                continue;
            };
            let asked = Instant::now();
            let state = tokio::select! {
                // A server that is gone does not answer, and the proof of the next tenure must not wait for that.
                Ok(()) = tenures.changed() => continue,
                state = self.bus.consumer_state(&self.consumer) => state,
            };
            if let Ok(state) = state {
                tenure.hears(asked, state.leader.as_deref());
            }
            tokio::time::sleep(tenure.proof_period()).await;
        }
    }

    async fn take_work(&self, current: &watch::Sender<Option<Tenure>>) -> Result<(), Fatal> {
        let mut in_flight = FuturesUnordered::new();
        'open: while !self.shutdown.is_cancelled() {
            let opening = self.open();
            tokio::pin!(opening);
            // What is in flight goes on meanwhile, with its signs of life.
            let mut pull = loop {
                tokio::select! {
                    () = self.shutdown.cancelled() => break 'open,
                    Some(settled) = in_flight.next(), if !in_flight.is_empty() => self.ended(settled)?,
                    opened = &mut opening => break opened,
                }
            };
            tracing::debug!(stream = self.consumer.stream, "a pull stands");
            current.send_replace(Some(pull.tenure.clone()));
            let mut session = pull.tenure.session();
            let standstill = standstill(pull.ack_wait);
            let mut looked = Instant::now();
            let mut ticks = interval(PULSE.min(standstill / 2));
            loop {
                if let Some(cause) = pull.is_stale(looked) {
                    tracing::warn!(
                        stream = self.consumer.stream,
                        cause,
                        "what was handed out may be another's by now"
                    );
                    break;
                }
                if in_flight.len() < self.concurrency {
                    looked = Instant::now();
                }
                tokio::select! {
                    biased;
                    () = self.shutdown.cancelled() => {
                        if pull.is_stale(looked).is_none() {
                            give_back(pull.stream).await;
                        }
                        break 'open;
                    }
                    Some(settled) = in_flight.next(), if !in_flight.is_empty() => self.ended(settled)?,
                    _ = ticks.tick() => self.pulse.beat(),
                    // At once: the client pulls on by itself over the next connection.
                    () = session.over() => {}
                    work = pull.stream.next(), if in_flight.len() < self.concurrency => match work {
                        // Found in the buffer after a standstill, or after the broker was away.
                        Ok(_) if pull.is_stale(looked).is_some() => {}
                        Ok(work) => {
                            self.metrics.in_flight.inc();
                            in_flight.push(self.process(work, pull.ack_wait, pull.tenure.clone()));
                        }
                        Err(error) => {
                            tracing::warn!(%error, stream = self.consumer.stream, "the pull broke; opening another");
                            break;
                        }
                    },
                }
            }
        }
        while let Some(settled) = in_flight.next().await {
            self.ended(settled)?;
        }
        Ok(())
    }

    /// One message less in flight. Runners of one service share the gauge.
    fn ended(&self, settled: Result<(), Fatal>) -> Result<(), Fatal> {
        self.metrics.in_flight.dec();
        settled
    }

    /// Opens a pull, for as long as it takes: the broker may be away, the topology not there yet.
    async fn open(&self) -> Pull {
        let stream = self.consumer.stream;
        let begin = || {
            self.pulse.beat();
            self.try_open()
        };
        let mut failures = 0_u32;
        let failed = |error| {
            failures = failures.saturating_add(1);
            if failures.is_multiple_of(TELL_EVERY) {
                tracing::warn!(%error, stream, failures, "still cannot pull");
            } else {
                tracing::debug!(%error, stream, "cannot pull yet");
            }
        };
        first_success(REOPEN_PAUSE, begin, failed).await
    }

    async fn try_open(&self) -> Result<Pull, BusError> {
        // Before anything can be handed out.
        let session = self.bus.session();
        let consumer = self.bus.consumer(&self.consumer).await?;
        let ack_wait = consumer.ack_wait();
        let leader = consumer.leader().map(str::to_owned);
        Ok(Pull {
            tenure: Tenure::new(session, leader, ack_wait),
            stream: consumer.work(self.concurrency.min(MAX_BATCH)).await?,
            ack_wait,
        })
    }

    async fn process(&self, work: Work, ack_wait: Duration, tenure: Tenure) -> Result<(), Fatal> {
        let (open, first) = self.open_span(&work);
        let trace = open.context();
        let job = Job {
            sequence: work.sequence,
            delivered: work.delivered,
            stored_at: work.stored_at,
            trace,
            lease: Lease::new(ack_wait).within(tenure),
        };
        let logged = tracing::info_span!("message", trace_id = trace.trace_id(), subject = work.subject);
        async {
            let began = Instant::now();
            let handled = pin!(AssertUnwindSafe(self.handle(&work, &job)).catch_unwind());
            let (outcome, age) = keep_alive(handled, &work, &job.lease, ack_wait)
                .await
                .unwrap_or_else(|panic| {
                    let cause = format!("panicked: {}", panic_text(panic.as_ref()));
                    tracing::error!(cause, "the stage panicked; the message comes again");
                    (Outcome::retry(cause), None)
                });
            self.metrics.settled(&outcome, began.elapsed(), age);
            let spans = self.bus.spans();
            spans.close(open, || span::of(&self.consumer, &work, first, &outcome));
            self.settle(&work, outcome, &job.lease, ack_wait).await
        }
        .instrument(logged)
        .await
    }

    /// The span of a delivery, under that of the publish; and that of the first delivery, if this repeats it.
    fn open_span(&self, work: &Work) -> (OpenSpan, Option<TraceContext>) {
        let published = work.trace();
        let (stream, consumer) = (self.consumer.stream, self.consumer.name);
        let of = |delivered| published.of_delivery(stream, consumer, work.sequence, delivered);
        let span = self.bus.spans().open_as(of(work.delivered), published);
        (span, (work.delivered > 1).then(|| of(1)))
    }

    /// The stage's outcome, and how old the message is by now.
    async fn handle(&self, work: &Work, job: &Job) -> (Outcome, Option<Duration>) {
        let input = match self.stage.decode(work) {
            Ok(Some(input)) => input,
            Ok(None) => return (Outcome::Done, None),
            Err(error) => {
                let give_up = GiveUp::permanent("undecodable", error.to_string());
                return (self.bury(work, give_up, job).await, None);
            }
        };
        let outcome = match self.stage.handle(&input, job).await {
            Outcome::GiveUp(give_up) => match self.bury(work, give_up.clone(), job).await {
                Outcome::GiveUp(give_up) => {
                    match Box::pin(self.stage.given_up(&input, &give_up, job)).await {
                        Outcome::Done | Outcome::Duplicate => Outcome::GiveUp(give_up),
                        other @ (Outcome::Retry { .. } | Outcome::GiveUp(_) | Outcome::Fatal(_)) => other,
                    }
                }
                other @ (Outcome::Done | Outcome::Duplicate | Outcome::Retry { .. } | Outcome::Fatal(_)) => {
                    other
                }
            },
            other @ (Outcome::Done | Outcome::Duplicate | Outcome::Retry { .. } | Outcome::Fatal(_)) => other,
        };
        let age = self
            .stage
            .accepted_at(&input)
            .map(|accepted| clock::now().since(accepted));
        (outcome, age)
    }

    /// Confirms the dead letter; if that fails the work stays.
    async fn bury(&self, work: &Work, give_up: GiveUp, job: &Job) -> Outcome {
        let remains = Remains::of(self.consumer.stream, work);
        let burial = burial::bury(&self.bus, self.name, remains, &give_up, job.trace);
        // Boxed: it is rare, and would make room for itself in all work, also in what waits for long.
        match Box::pin(burial).await {
            Ok(published) => {
                // One that was written before is counted already.
                if published != Published::Duplicate {
                    self.metrics.buried(give_up.class);
                }
                Outcome::GiveUp(give_up)
            }
            Err(error) => burial::put_off(error),
        }
    }

    async fn settle(
        &self,
        work: &Work,
        outcome: Outcome,
        lease: &Lease,
        ack_wait: Duration,
    ) -> Result<(), Fatal> {
        let settled = match outcome {
            Outcome::Done | Outcome::Duplicate => work.ack().await,
            Outcome::GiveUp(_) => work.term().await,
            // The server would take it for the word of the one who has the work now.
            Outcome::Retry { cause, .. } if !lease.is_alive() => {
                tracing::debug!(cause, "comes again by itself: it was taken for dead");
                Ok(())
            }
            Outcome::Retry { after, cause } => {
                let age = clock::now().since(work.stored_at);
                let wanted =
                    after.unwrap_or_else(|| retry::redelivery_delay(work.delivered, age, random::fraction()));
                // If another one has the work, its own signs of life keep it for that long.
                let least = if lease.is_held() { Duration::ZERO } else { ack_wait };
                let delay = wanted.max(least);
                tracing::debug!(
                    cause,
                    delay_ms = delay.as_millis(),
                    delivered = work.delivered,
                    "comes again"
                );
                work.nak(delay).await
            }
            Outcome::Fatal(cause) => return Err(Fatal(cause)),
        };
        if let Err(error) = settled {
            // Unsettled work comes again after ack_wait.
            tracing::warn!(%error, "the message could not be settled");
        }
        Ok(())
    }
}

/// Drives `handled` to its end, with signs of life to the server. Both end together. By reference: a future that
/// is handed over has its place in the one that hands it over, too.
async fn keep_alive<T>(
    mut handled: Pin<&mut impl Future<Output = T>>,
    work: &Work,
    lease: &Lease,
    ack_wait: Duration,
) -> T {
    let every = ack_wait / KEEP_ALIVES_PER_ACK_WAIT;
    let mut beats = interval_at(Instant::now() + every, every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            handled = handled.as_mut() => return handled,
            // After a standstill it may be another's, and would count as that one's.
            _ = beats.tick() => if lease.is_alive() {
                lease.gives_sign();
                if let Err(error) = work.keep_alive().await {
                    tracing::debug!(%error, "no sign of life could be given");
                }
            },
        }
    }
}

/// Returns what was pulled ahead, so that another replica gets it at once and not after `ack_wait`.
async fn give_back(mut stream: WorkStream) {
    let mut pulled = Vec::new();
    while let Some(Ok(work)) = stream.next().now_or_never() {
        pulled.push(work);
    }
    // Closed before the naks: the server would hand the messages back to this very pull.
    drop(stream);
    for work in pulled {
        if work.nak(Duration::ZERO).await.is_err() {
            return;
        }
    }
}
