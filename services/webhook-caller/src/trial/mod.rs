//! Test Integration: one call of a webhook on an operator's word, made as a turn's would be made: by the same request,
//! under the same policy, timeout and limits. Nothing of it is stored, and no conversation is touched.

mod hint;
mod sample;
mod shown;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bus::{BusError, Question, Questions, TraceContext};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use outbound::{Phases, Stopwatch};
use proto_schemas::content::StoredFile;
use proto_schemas::integration_test::{
    IntegrationTest, IntegrationTestReport, Latency, MAX_MESSAGE_BYTES, MAX_WAIT, Refusal, TestOutcome,
};
use registry::Integration;
use runtime::clock;
use runtime::task::Tasks;
use tokio::time::{Instant, sleep_until};

use crate::error::CallError;
use crate::format;
use crate::integration::{Answer, NotCalled};
use crate::request::{Prepared, prepare};
use crate::stage::Caller;

/// Tests that are made at once, of all integrations: an operator makes one at a time.
const AT_ONCE: usize = 4;

/// How long questions are still taken that were on their way when the service began to end.
const LAST_QUESTIONS: Duration = Duration::from_secs(1);

/// Answers questions until shutdown, then finishes those at hand.
///
/// # Errors
/// [`BusError`] when the connection is closed before.
pub(crate) async fn answer(
    caller: Arc<Caller>,
    mut questions: Questions,
    tasks: Tasks,
) -> Result<(), BusError> {
    let mut under_way = FuturesUnordered::new();
    let (mut over, mut ending) = (pin!(tasks.shutdown().clone().cancelled_owned()), None);
    loop {
        tokio::select! {
            () = &mut over, if ending.is_none() => {
                questions.end().await?;
                ending = Some(Instant::now() + LAST_QUESTIONS);
            }
            // While the broker is away its word that these were the last does not come.
            () = sleep_until(ending.unwrap_or_else(Instant::now)), if ending.is_some() => break,
            Some(ended) = under_way.next(), if !under_way.is_empty() => note(ended),
            question = questions.next() => {
                let Some(question) = question else { break };
                let caller = (under_way.len() < AT_ONCE).then(|| Arc::clone(&caller));
                // A task of its own, whose panic is its own as well.
                under_way.push(tasks.owned(async move { settle(caller.as_deref(), &question).await }));
            }
        }
    }
    while let Some(ended) = under_way.next().await {
        note(ended);
    }
    Ok(())
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a test of an integration died");
    }
}

/// Answers one question; without a caller it is one too many.
async fn settle(caller: Option<&Caller>, question: &Question) {
    let test = match question.decode::<IntegrationTest>() {
        Ok(test) => test,
        Err(error) => {
            tracing::warn!(%error, "a test of an integration cannot be read");
            return;
        }
    };
    let report = match caller {
        Some(caller) => Box::pin(report(caller, &test, question.trace())).await,
        None => refused(
            &test,
            Refusal::TooManyTests,
            format!("{AT_ONCE} tests are being made; try again when one has ended"),
        ),
    };
    // A report is as long as request and reply together, and both stay far below what the broker takes.
    if let Err(error) = question.answer(&report).await {
        tracing::warn!(%error, "the report of a test is lost");
    }
}

async fn report(caller: &Caller, test: &IntegrationTest, trace: TraceContext) -> IntegrationTestReport {
    if test.message.len() > MAX_MESSAGE_BYTES {
        let detail = format!("the message is longer than {MAX_MESSAGE_BYTES} bytes");
        return refused(test, Refusal::Unusable, detail);
    }
    let Some(settings) = caller.registry.integration(&test.integration) else {
        let detail = format!("there is no integration {}", test.integration);
        return refused(test, Refusal::UnknownIntegration, detail);
    };
    let prepared = match prepared(caller, test, &settings, trace) {
        Ok(prepared) => prepared,
        Err(error) => return ended(test, failure(error)),
    };
    let (request, secrets) = (shown::request(&settings, &prepared), prepared.secrets.clone());
    let told = if test.preview_only {
        ended(test, TestOutcome::Preview)
    } else {
        let stopwatch = Arc::new(Stopwatch::default());
        let tried = caller
            .integrations
            .try_out(&settings, prepared, Arc::clone(&stopwatch), MAX_WAIT)
            .await;
        match tried {
            Ok(Some(answer)) => {
                let latency = latency(stopwatch.phases(), answer.took);
                let outcome = outcome(answer, stopwatch.status().unwrap_or_default());
                IntegrationTestReport {
                    latency: Some(latency),
                    ..ended(test, shown::outcome(outcome, &secrets))
                }
            }
            Ok(None) | Err(NotCalled::Busy(_) | NotCalled::Refused(_)) => {
                let detail = "the integration's limits leave no room for a test; try again later";
                refused(test, Refusal::LimitReached, detail)
            }
            Err(NotCalled::Lost) => refused(
                test,
                Refusal::Interrupted,
                "the integration's actor died with the call",
            ),
        }
    };
    tracing::info!(
        integration = test.integration.as_str(),
        outcome = told.outcome.as_str(),
        "tested an integration"
    );
    IntegrationTestReport {
        request: Some(request),
        ..told
    }
}

fn prepared(
    caller: &Caller,
    test: &IntegrationTest,
    settings: &Integration,
    trace: TraceContext,
) -> Result<Prepared, CallError> {
    let now = clock::now();
    let turn = sample::turn(test, trace, now);
    let turn = turn.map_err(|error| CallError::terminal("other", error.to_string()))?;
    let link = |file: &StoredFile| caller.links.link(file);
    let body = format::body(&turn, &settings.format, link);
    let body = body.unwrap_or_else(|| Err(CallError::terminal("other", "the sample asks nothing")))?;
    prepare(&turn, body, settings, 1, now, trace)
}

fn outcome(answer: Answer, status: u16) -> TestOutcome {
    match answer.result {
        Ok(result) => shown::result(result, status),
        Err(error) => failure(error),
    }
}

fn failure(error: CallError) -> TestOutcome {
    TestOutcome::Failure {
        class: error.class.to_owned(),
        status: error.status,
        detail: error.detail,
        hint: hint::of(error.class).to_owned(),
    }
}

fn refused(test: &IntegrationTest, reason: Refusal, detail: impl Into<String>) -> IntegrationTestReport {
    let detail = detail.into();
    ended(test, TestOutcome::Refused { reason, detail })
}

fn ended(test: &IntegrationTest, outcome: TestOutcome) -> IntegrationTestReport {
    IntegrationTestReport {
        integration: test.integration.clone(),
        request: None,
        outcome,
        latency: None,
    }
}

fn latency(phases: Phases, total: Duration) -> Latency {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    Latency {
        dns_micros: phases.dns.map(micros),
        connect_micros: phases.connect.map(micros),
        tls_micros: phases.tls.map(micros),
        first_byte_micros: phases.first_byte.map(micros),
        total_micros: micros(total),
    }
}
