//! One call of a webhook with a sample message, made by webhook-caller.

use bus::{AskError, Bus, BusError};
use proto_schemas::ids::IntegrationId;
use proto_schemas::integration_test::{IntegrationTest, IntegrationTestReport, report_within};
use proto_schemas::subjects;
use proto_schemas::topology::REGISTRY;
use registry::Integration;

use crate::Record;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// There is no such integration.
    #[error("there is no such integration")]
    Unknown,
    /// Nobody took the test, or no report came.
    #[error(transparent)]
    Ask(#[from] AskError),
}

impl From<BusError> for TestError {
    fn from(error: BusError) -> Self {
        Self::Ask(error.into())
    }
}

/// Has the test made, or only the request shown.
///
/// # Errors
/// [`TestError`] when there is no report of it. That webhook-caller refused to make it is a report.
pub async fn test_integration(
    bus: &Bus,
    integration: IntegrationId,
    message: String,
    preview_only: bool,
) -> Result<IntegrationTestReport, TestError> {
    let key = Integration::key(integration.as_str());
    let settings = bus.get::<Integration>(&REGISTRY, &key).await?;
    let settings = settings.ok_or(TestError::Unknown)?.record;
    let subject = subjects::integration_test(&integration);
    let test = IntegrationTest {
        integration,
        message,
        preview_only,
    };
    let patience = report_within(settings.timeout.0);
    Ok(bus.ask(subject, &test, patience).await?)
}
