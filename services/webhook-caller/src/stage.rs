//! The story of one turn: look up how far it got, call, commit, publish the delivery. Each step may be the
//! one before a crash; the turn comes again and goes on from there.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, BusError, Work};
use domain::retry::{self, Budget, NextStep, next_step};
use proto_schemas::content::StoredFile;
use proto_schemas::context::{Conclusion, TurnResult};
use proto_schemas::dead_letter::Attempt;
use proto_schemas::ids::UnixMillis;
use proto_schemas::progress::TurnProgress;
use proto_schemas::turn::{Task, Turn};
use proto_schemas::wire::DecodeError;
use registry::{Integration, Registry, RetryBudget};
use runtime::links::Links;
use runtime::stage::{GiveUp, Job, Left, Outcome, Settles, Stage};
use runtime::{clock, random, stage};

use crate::breaker::Refusal;
use crate::commit::{self, Commit, Stand};
use crate::error::{CIRCUIT_OPEN, CallError, DISABLED, Fate, known_class, was_called};
use crate::format;
use crate::integration::{Answer, Integrations, NotCalled};
use crate::metrics::CallerMetrics;
use crate::request::prepare;
use crate::route::Route;
use crate::{span, typing};

/// How soon a committed turn asks for the delivery's slot again.
const SLOT_PAUSE_FIRST: Duration = Duration::from_millis(50);
/// And how late at most.
const SLOT_PAUSE_CAP: Duration = Duration::from_secs(5);
/// By which part of a circuit breaker's pause those who wait for its end are spread.
const SPREAD: f64 = 0.25;

/// The stage.
pub(crate) struct Caller {
    pub(crate) bus: Bus,
    pub(crate) registry: Registry,
    pub(crate) links: Links,
    pub(crate) integrations: Integrations,
    pub(crate) metrics: Arc<CallerMetrics>,
}

impl Stage for Caller {
    type Input = Turn;

    fn decode(&self, work: &Work) -> Result<Option<Turn>, DecodeError> {
        stage::decode(work)
    }

    async fn handle(&self, turn: &Turn, job: &Job) -> Outcome {
        let progress = if job.is_redelivery() {
            match Box::pin(commit::stand(&self.bus, turn)).await {
                Ok(Stand::Open(progress)) => progress,
                Ok(Stand::Committed(conclusion)) => return self.deliver(turn, &conclusion, job).await,
                Ok(Stand::Overtaken) => return self.drop_late(turn),
                Err(error) => return error.into(),
            }
        } else {
            TurnProgress::default()
        };
        match &turn.task {
            Task::Reset { .. } => self.forget(turn, job).await,
            Task::Ask {
                integration,
                fallback,
                ..
            } => {
                let route = Route::of(integration, fallback.as_ref(), &progress);
                self.ask(turn, route, progress, job).await
            }
        }
    }

    /// The dead letter is confirmed: the failure becomes the turn's outcome, and the user is told.
    async fn given_up(&self, turn: &Turn, give_up: &GiveUp, job: &Job) -> Outcome {
        let Task::Ask {
            integration,
            error_message,
            ..
        } = &turn.task
        else {
            return self.forget(turn, job).await;
        };
        let result = TurnResult::Failure {
            class: give_up.class.to_owned(),
            message: error_message.clone(),
        };
        let asked_last = give_up.attempts.last().map(|attempt| attempt.integration.clone());
        let conclusion = Conclusion {
            integration: Some(asked_last.unwrap_or_else(|| integration.clone())),
            attempts: calls(&give_up.attempts),
            webhook_millis: give_up.attempts.last().map_or(0, |attempt| attempt.millis),
            ..unasked(turn, result)
        };
        self.conclude(turn, conclusion, job).await
    }

    fn accepted_at(&self, turn: &Turn) -> Option<UnixMillis> {
        Some(turn.accepted_at)
    }
}

impl Settles for Caller {
    async fn is_settled(&self, turn: &Turn, left: Left) -> Result<bool, BusError> {
        commit::is_settled(&self.bus, turn, left).await
    }
}

impl Caller {
    /// Ends a reset: there is nobody to ask.
    async fn forget(&self, turn: &Turn, job: &Job) -> Outcome {
        let message = match &turn.task {
            Task::Reset { message } => message.clone(),
            Task::Ask { .. } => String::new(),
        };
        self.conclude(turn, unasked(turn, TurnResult::Reset { message }), job)
            .await
    }

    async fn ask(&self, turn: &Turn, route: Route<'_>, progress: TurnProgress, job: &Job) -> Outcome {
        let integration = route.asked;
        // Given up before, and something after it failed: the dead letter and the commit are repeated.
        if let Some(give_up) = exhausted(&progress) {
            return Outcome::GiveUp(give_up);
        }
        let Some(settings) = self.registry.integration(integration) else {
            let error = CallError::passing(
                "unknown_integration",
                format!("there is no integration {integration}"),
            );
            let budget = RetryBudget::default();
            return self
                .failed(turn, route, &budget, progress, (error, clock::now(), 0), job)
                .await;
        };
        let attempt = calls(&progress.attempts).saturating_add(1);
        let began = clock::now();
        match self.call(turn, &settings, attempt, job).await {
            Ok(Answer {
                result: Ok(result),
                took,
                ..
            }) => {
                let conclusion = Conclusion {
                    integration: Some(integration.clone()),
                    attempts: attempt,
                    webhook_millis: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                    ..unasked(turn, result)
                };
                self.conclude(turn, conclusion, job).await
            }
            Ok(Answer {
                result: Err(error),
                took,
                ..
            }) => {
                let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                self.failed(
                    turn,
                    route,
                    &settings.retry,
                    progress,
                    (error, began, millis),
                    job,
                )
                .await
            }
            Err(NotCalled::Busy(pause)) => {
                Outcome::retry_after(pause, "the integration has as many calls waiting as it may")
            }
            Err(NotCalled::Refused(refusal)) => {
                Box::pin(self.refused(turn, route, &settings, progress, refusal, job)).await
            }
            Err(NotCalled::Lost) => Outcome::retry("the integration's actor died with the call"),
        }
    }

    async fn call(
        &self,
        turn: &Turn,
        settings: &Arc<Integration>,
        attempt: u32,
        job: &Job,
    ) -> Result<Answer, NotCalled> {
        let link = |file: &StoredFile| self.links.link(file);
        let Some(body) = format::body(turn, &settings.format, link) else {
            return Err(NotCalled::Lost);
        };
        let spans = self.bus.spans();
        let open = spans.open(job.trace);
        let prepared =
            body.and_then(|body| prepare(turn, body, settings, attempt, clock::now(), open.context()));
        match prepared {
            Ok(prepared) => {
                let answer = self.integrations.call(settings, prepared);
                let answer = typing::told(&self.bus, &self.registry, turn, job.trace, answer).await;
                if let Ok(answer) = &answer {
                    spans.close_after(open, answer.took, || span::of(settings, attempt, answer));
                }
                answer
            }
            Err(error) => Ok(Answer {
                result: Err(error),
                status: None,
                took: Duration::ZERO,
            }),
        }
    }

    /// Keeps the failed attempt, then tries later, asks the next webhook or gives up.
    async fn failed(
        &self,
        turn: &Turn,
        route: Route<'_>,
        budget: &RetryBudget,
        mut progress: TurnProgress,
        (error, began, millis): (CallError, UnixMillis, u64),
        job: &Job,
    ) -> Outcome {
        let took = Duration::from_millis(millis);
        progress.attempts.push(error.attempt(route.asked, began, took));
        let (failed, first) = route.failures(&progress);
        let first = first.unwrap_or(began);
        let budget = Budget {
            attempts: budget.attempts,
            max_age: budget.max_age.0,
        };
        let step = match error.fate {
            Fate::Terminal => NextStep::GiveUp,
            Fate::Retry { not_before } => next_step(
                &budget,
                failed,
                clock::now().since(first),
                not_before,
                random::fraction(),
            ),
        };
        let next = route.next.filter(|_| step == NextStep::GiveUp);
        if next.is_some() {
            // Its patience is its own, too.
            (progress.fallen_back, progress.refused_since) = (true, None);
        }
        progress.exhausted = step == NextStep::GiveUp && next.is_none();
        if let Err(error) = Box::pin(commit::keep_progress(&self.bus, turn, &progress, job)).await {
            return error.into();
        }
        if let Some(next) = next {
            tracing::info!(
                class = error.class,
                detail = error.detail,
                fallback = next.as_str(),
                "the integration is given up; its fallback is asked"
            );
            return Outcome::retry_after(Duration::ZERO, error.detail);
        }
        match step {
            NextStep::RetryAfter(delay) => {
                self.metrics.will_retry(route.asked);
                tracing::info!(
                    class = error.class,
                    detail = error.detail,
                    attempt = failed,
                    "the call failed; it is made again"
                );
                Outcome::retry_after(delay, error.detail)
            }
            NextStep::GiveUp => {
                let attempts = progress.attempts;
                self.give_up(
                    turn,
                    GiveUp {
                        class: error.class,
                        cause: error.detail,
                        attempts,
                    },
                    job,
                )
                .await
            }
        }
    }

    /// No call was made. A fallback is asked at once; without one the turn waits, which spends no attempt, for as long as
    /// it would be tried: from the first refusal, however long it had to wait for its limits before.
    async fn refused(
        &self,
        turn: &Turn,
        route: Route<'_>,
        settings: &Integration,
        mut progress: TurnProgress,
        refusal: Refusal,
        job: &Job,
    ) -> Outcome {
        let (class, detail) = match refusal {
            Refusal::Gone => (DISABLED, "the webhook has said that it is gone (410)"),
            Refusal::Open(_) => (CIRCUIT_OPEN, "the webhook fails; its circuit breaker is open"),
        };
        let now = clock::now();
        let waited = now.since(progress.refused_since.unwrap_or(now));
        let patience = settings.retry.max_age.0.max(2 * settings.limits.breaker.pause.0);
        match refusal {
            Refusal::Open(pause) if route.next.is_none() && waited < patience => {
                if progress.refused_since.is_none() {
                    progress.refused_since = Some(now);
                    if let Err(error) = commit::keep_progress(&self.bus, turn, &progress, job).await {
                        return error.into();
                    }
                }
                let spread = pause.mul_f64(1.0 + SPREAD * random::fraction());
                Outcome::retry_after(spread.min(patience - waited), detail)
            }
            Refusal::Open(_) | Refusal::Gone => {
                let error = CallError::terminal(class, detail);
                let budget = &settings.retry;
                self.failed(turn, route, budget, progress, (error, now, 0), job)
                    .await
            }
        }
    }

    /// Gives up, unless another worker that was taken for dead has had its answer meanwhile.
    async fn give_up(&self, turn: &Turn, give_up: GiveUp, job: &Job) -> Outcome {
        match Box::pin(commit::stand(&self.bus, turn)).await {
            Ok(Stand::Open(_)) => Outcome::GiveUp(give_up),
            Ok(Stand::Committed(conclusion)) => self.deliver(turn, &conclusion, job).await,
            Ok(Stand::Overtaken) => self.drop_late(turn),
            Err(error) => error.into(),
        }
    }

    async fn conclude(&self, turn: &Turn, conclusion: Conclusion, job: &Job) -> Outcome {
        // Boxed, as what follows a call must not take up room while it lasts.
        match Box::pin(commit::commit(&self.bus, turn, conclusion, job)).await {
            Ok(Commit::Written(conclusion)) => self.deliver(turn, &conclusion, job).await,
            Ok(Commit::Stood(conclusion)) => {
                self.metrics.dropped_late_answer();
                self.deliver(turn, &conclusion, job).await
            }
            Ok(Commit::Lost) => self.drop_late(turn),
            Err(error) => error.into(),
        }
    }

    /// Publishes what the context says. If that was done before, the broker or egress knows it.
    async fn deliver(&self, turn: &Turn, conclusion: &Conclusion, job: &Job) -> Outcome {
        match Box::pin(commit::publish_delivery(&self.bus, turn, conclusion, job.trace)).await {
            Ok(()) => Outcome::Done,
            Err(BusError::SlotTaken) => Outcome::retry_after(
                slot_pause(job.delivered),
                "a reply of the conversation is on its way",
            ),
            Err(error) => error.into(),
        }
    }

    fn drop_late(&self, turn: &Turn) -> Outcome {
        self.metrics.dropped_late_answer();
        tracing::info!(
            turn = turn.id.as_str(),
            "dropped a turn whose conversation had moved on"
        );
        Outcome::Duplicate
    }
}

/// When a committed turn asks for the delivery's slot again: soon, then less often. The user waits for it.
fn slot_pause(delivered: u64) -> Duration {
    retry::doubling(SLOT_PAUSE_FIRST, SLOT_PAUSE_CAP, delivered)
}

/// How many of the attempts on record were calls.
fn calls(attempts: &[Attempt]) -> u32 {
    let calls = attempts.iter().filter(|attempt| was_called(&attempt.class));
    u32::try_from(calls.count()).unwrap_or(u32::MAX)
}

/// A conclusion for which no webhook was asked.
fn unasked(turn: &Turn, result: TurnResult) -> Conclusion {
    let arm = match &turn.task {
        Task::Ask { arm, .. } => arm.clone(),
        Task::Reset { .. } => None,
    };
    Conclusion {
        turn: turn.id.clone(),
        result,
        integration: None,
        arm,
        attempts: 0,
        webhook_millis: 0,
        committed_at: clock::now(),
    }
}

/// The end of a turn that was given up.
fn exhausted(progress: &TurnProgress) -> Option<GiveUp> {
    let last = progress.attempts.last().filter(|_| progress.exhausted)?;
    let (class, cause) = (known_class(&last.class), last.detail.clone());
    Some(GiveUp {
        class,
        cause,
        attempts: progress.attempts.clone(),
    })
}
