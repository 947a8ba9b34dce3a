//! `/v1/integrations/{id}/test` and `/preview`: the question to webhook-caller, and its report.

use std::sync::Arc;

use operations::TestError;
use proto_schemas::ids::IntegrationId;
use proto_schemas::integration_test::{IntegrationTestReport, Refusal, TestOutcome};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::route::{Method, Route};
use crate::web::Desk;

/// A test.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Test {
    /// What the user of the sample conversation says. At most 16384 bytes.
    message: String,
    /// Whether the request is only to be shown, and nothing sent.
    #[serde(default)]
    preview: bool,
}

/// A preview.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Preview {
    /// What the user of the sample conversation says. At most 16384 bytes.
    message: String,
}

/// The routes.
pub(crate) fn routes() -> Vec<Route> {
    let problems = [
        "unusable",
        "unknown_integration",
        "too_many_tests",
        "limit_reached",
        "interrupted",
        "nobody_answers",
        "timed_out",
    ];
    let route = |verb: &str, work| {
        let path = format!("/v1/integrations/{{id}}/{verb}");
        let name = format!("integrations.{verb}");
        Route::new::<IntegrationTestReport>(Method::Post, path, name, work).problems(&problems)
    };
    vec![
        route("test", |desk, call| Box::pin(test(desk, call)))
            .about("Calls the webhook once with a sample message, and reports what came of it.")
            .for_operators()
            .takes::<Test>(),
        route("preview", |desk, call| Box::pin(preview(desk, call)))
            .about("Shows the request that a test would send, without its secrets, and sends nothing.")
            .takes::<Preview>(),
    ]
}

async fn test(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let Test { message, preview } = call.json()?;
    ask(&desk, &call.id, message, preview).await
}

async fn preview(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let Preview { message } = call.json()?;
    ask(&desk, &call.id, message, true).await
}

async fn ask(desk: &Desk, id: &str, message: String, preview_only: bool) -> Result<Answer, Problem> {
    Answer::of(&made(desk, id, message, preview_only).await?)
}

/// Has a test made, or only the request shown.
///
/// # Errors
/// [`Problem`] when there is no report, or it says that the test was not made.
pub(crate) async fn made(
    desk: &Desk,
    id: &str,
    message: String,
    preview_only: bool,
) -> Result<IntegrationTestReport, Problem> {
    let unknown = || Problem::Refused {
        reason: Refusal::UnknownIntegration,
        detail: "there is no such integration".to_owned(),
    };
    let id = IntegrationId::new(id).map_err(|_| unknown())?;
    let asked = operations::test_integration(&desk.bus, id, message, preview_only).await;
    let report = asked.map_err(|error| match error {
        TestError::Unknown => unknown(),
        TestError::Ask(error) => error.into(),
    })?;
    match report.outcome {
        TestOutcome::Refused { reason, detail } => Err(Problem::Refused { reason, detail }),
        TestOutcome::Preview
        | TestOutcome::Reply { .. }
        | TestOutcome::NoReply { .. }
        | TestOutcome::Failure { .. } => Ok(report),
    }
}
