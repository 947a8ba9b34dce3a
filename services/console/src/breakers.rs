//! `/v1/breakers`: the webhooks that are left in peace.

use std::sync::Arc;

use operations::breakers::{self, Breaker, Closed};
use proto_schemas::ids::IntegrationId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::route::{Method, Route};
use crate::web::Desk;

/// Webhooks that are left in peace or tried out.
#[derive(Serialize, JsonSchema)]
struct OpenBreakers {
    items: Vec<Breaker>,
}

/// The routes.
pub(crate) fn routes() -> Vec<Route> {
    let list = Route::new::<OpenBreakers>(Method::Get, "/v1/breakers", "breakers.list", |desk, call| {
        Box::pin(list(desk, call))
    });
    let close = Route::new::<Closed>(
        Method::Post,
        "/v1/breakers/{id}/close",
        "breakers.close",
        |desk, call| Box::pin(close(desk, call)),
    );
    vec![
        list.about(
            "Lists the integrations whose webhook is left in peace because it fails, or is tried out.",
        ),
        close
            .about("Has the webhook of an integration asked again at once.")
            .for_operators()
            .problems(&["breaker_closed", "breaker_changed"]),
    ]
}

async fn list(desk: Arc<Desk>, _call: Call) -> Result<Answer, Problem> {
    let items = breakers::list(&desk.bus).await?;
    Answer::of(&OpenBreakers { items })
}

async fn close(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    Answer::of(&closed(&desk, &call.id).await?)
}

/// Has the webhook of an integration asked again at once.
///
/// # Errors
/// [`Problem`] when there is no such integration, or its breaker is closed.
pub(crate) async fn closed(desk: &Desk, id: &str) -> Result<Closed, Problem> {
    let nothing = || Problem::NotFound("no integration has this identifier");
    let id = IntegrationId::new(id).map_err(|_| nothing())?;
    if desk.registry.integration(&id).is_none() {
        return Err(nothing());
    }
    Ok(breakers::close(&desk.bus, &id).await?)
}
