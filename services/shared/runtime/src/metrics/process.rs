//! What every process says of itself.

use super::{MetricError, Metrics, timestamp};
use crate::clock;

/// The commit that it was built from. `make image` sets it; a build for every commit of a developer would be a waste.
const REVISION: Option<&str> = option_env!("CHATBOT_REVISION");

/// Declares them, and says when the process began: now.
pub(crate) fn declare(metrics: &Metrics) -> Result<(), MetricError> {
    let build = metrics.gauges(
        "build_info",
        "1, with what was built as labels.",
        &["version", "revision"],
    )?;
    let labels = [env!("CARGO_PKG_VERSION"), REVISION.unwrap_or("unknown")];
    build.with_label_values(&labels).set(1);
    let start = metrics.gauge("start_time_seconds", "When the process started.")?;
    start.set(timestamp(Some(clock::now())));
    Ok(())
}
