//! Who did what: a line of the log for each use of a route or a form that is for operators, also when it was refused, and
//! for each session that is begun.
//!
//! It has the target `audit`, and holds no body and no secret: a token is named by its reference.

use operations::Written;
use operations::dead_letters::Bulk;

use crate::call::is_identifier;
use crate::guard::Client;
use crate::metrics::ConsoleMetrics;
use crate::problem::Problem;

/// The outcome of what was done.
const DONE: &str = "done";

/// What was asked for.
pub(crate) struct Deed<'a> {
    /// The name of its route.
    pub(crate) action: &'a str,
    /// Who asked.
    pub(crate) client: &'a Client,
    /// What it was about, as its address says.
    pub(crate) id: &'a str,
}

/// Names what a deed with a filter was done to, a line each: at most a hundred.
pub(crate) fn name_all(action: &str, done: &Bulk) {
    for handled in &done.done {
        tracing::info!(target: "audit", action, id = handled.id.as_str(), "one of many");
    }
}

/// Writes the line, and counts.
pub(crate) fn note(metrics: &ConsoleMetrics, deed: &Deed, done: Result<Option<Written>, &Problem>) {
    let Deed { action, client, id } = deed;
    metrics.changed(action, done.is_ok());
    let outcome = done.as_ref().err().map_or(DONE, |problem| problem.verdict().code);
    let written = done.ok().flatten();
    tracing::info!(
        target: "audit",
        role = client.role.as_str(),
        token = client.token,
        action,
        // Anything else may be as long and as odd as its sender likes.
        id = is_identifier(id).then_some(id),
        from = written.and_then(|written| written.from),
        to = written.map(|Written { to, .. }| to),
        outcome,
        "an operator's request"
    );
}
