//! `/v1/integrations/{id}/test` and `/preview`: the question to webhook-caller, and its report.

use std::sync::Arc;

use proto_schemas::ids::IntegrationId;
use proto_schemas::integration_test::{
    IntegrationTest, IntegrationTestReport, Refusal, TestOutcome, report_within,
};
use proto_schemas::subjects;
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
    let known = IntegrationId::new(id)
        .ok()
        .and_then(|id| desk.registry.integration(&id));
    let Some(settings) = known else {
        return Err(Problem::Refused {
            reason: Refusal::UnknownIntegration,
            detail: "there is no such integration".to_owned(),
        });
    };
    let test = IntegrationTest {
        integration: settings.id.clone(),
        message,
        preview_only,
    };
    let subject = subjects::integration_test(&settings.id);
    let patience = report_within(settings.timeout.0);
    let report: IntegrationTestReport = desk.bus.ask(subject, &test, patience).await?;
    match report.outcome {
        TestOutcome::Refused { reason, detail } => Err(Problem::Refused { reason, detail }),
        TestOutcome::Preview
        | TestOutcome::Reply { .. }
        | TestOutcome::NoReply { .. }
        | TestOutcome::Failure { .. } => Answer::of(&report),
    }
}
