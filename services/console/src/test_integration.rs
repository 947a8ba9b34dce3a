//! `POST /v1/integrations/{id}/test`: the question to webhook-caller, and its report.

use bus::Bus;
use proto_schemas::ids::IntegrationId;
use proto_schemas::integration_test::{
    IntegrationTest, IntegrationTestReport, Refusal, TestOutcome, report_within,
};
use proto_schemas::subjects;
use registry::Registry;
use serde::Deserialize;

use crate::problem::Problem;

/// The request's body.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    /// What the user of the sample conversation says.
    message: String,
    /// Whether the request is only to be shown, and nothing sent.
    #[serde(default)]
    preview: bool,
}

/// Has the test made.
///
/// # Errors
/// [`Problem`] when it was not made, or there is no report of it.
pub(crate) async fn test(
    bus: &Bus,
    registry: &Registry,
    id: &str,
    body: Body,
) -> Result<IntegrationTestReport, Problem> {
    let known = IntegrationId::new(id)
        .ok()
        .and_then(|id| registry.integration(&id));
    let Some(settings) = known else {
        return Err(Problem::Refused {
            reason: Refusal::UnknownIntegration,
            detail: "there is no such integration".to_owned(),
        });
    };
    let test = IntegrationTest {
        integration: settings.id.clone(),
        message: body.message,
        preview_only: body.preview,
    };
    let subject = subjects::integration_test(&settings.id);
    let report: IntegrationTestReport = bus.ask(subject, &test, report_within(settings.timeout.0)).await?;
    tracing::info!(
        integration = settings.id.as_str(),
        outcome = report.outcome.as_str(),
        "an integration was tested"
    );
    match report.outcome {
        TestOutcome::Refused { reason, detail } => Err(Problem::Refused { reason, detail }),
        TestOutcome::Preview
        | TestOutcome::Reply { .. }
        | TestOutcome::NoReply { .. }
        | TestOutcome::Failure { .. } => Ok(report),
    }
}
