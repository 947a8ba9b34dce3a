//! `/v1/messages/{id}/trace`: what became of a message.

use std::sync::Arc;

use operations::trace::{self, Trace};
use proto_schemas::ids::MessageId;

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::route::{Method, Route};
use crate::web::Desk;

/// The route.
pub(crate) fn routes() -> Vec<Route> {
    let trace = Route::new::<Trace>(
        Method::Get,
        "/v1/messages/{id}/trace",
        "messages.trace",
        |desk, call| Box::pin(trace(desk, call)),
    );
    vec![trace.about("Shows what became of a message, step by step.")]
}

async fn trace(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let nothing = || Problem::NotFound("the inbox has no such message, or keeps it no longer");
    let id = MessageId::new(&call.id).map_err(|_| nothing())?;
    let trace = trace::of(&desk.bus, &id).await?;
    Answer::of(&trace.ok_or_else(nothing)?)
}
