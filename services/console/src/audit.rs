//! Who did what: a line of the log for each use of a route that is for operators, also when it was refused.
//!
//! It has the target `audit`, and holds no body and no secret: a token is named by its reference.

use operations::Written;

use crate::call::{Answer, is_identifier};
use crate::guard::Client;
use crate::metrics::ConsoleMetrics;
use crate::problem::Problem;
use crate::route::Route;

/// The outcome of what was done.
const DONE: &str = "done";

/// Writes the line, and counts.
pub(crate) fn note(
    metrics: &ConsoleMetrics,
    route: &Route,
    client: &Client,
    id: &str,
    done: &Result<Answer, Problem>,
) {
    metrics.changed(&route.name, done.is_ok());
    let written = done.as_ref().ok().and_then(|answer| answer.written);
    let outcome = done.as_ref().err().map_or(DONE, |problem| problem.verdict().code);
    tracing::info!(
        target: "audit",
        role = client.role.as_str(),
        token = client.token,
        action = route.name,
        // Anything else may be as long and as odd as its sender likes.
        id = is_identifier(id).then_some(id),
        from = written.and_then(|written| written.from),
        to = written.map(|Written { to, .. }| to),
        outcome,
        "an operator's request"
    );
}
