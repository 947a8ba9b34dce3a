//! `/v1/conversations`: what was said.

use std::sync::Arc;

use operations::conversations::{self, Recent, Turns};
use proto_schemas::ids::ConversationId;

use crate::call::{Answer, Call, Paging};
use crate::problem::Problem;
use crate::route::{Method, Route};
use crate::web::Desk;

/// The routes.
pub(crate) fn routes() -> Vec<Route> {
    let list = Route::new::<Recent>(
        Method::Get,
        "/v1/conversations",
        "conversations.list",
        |desk, call| Box::pin(list(desk, call)),
    );
    let show = Route::new::<Turns>(
        Method::Get,
        "/v1/conversations/{id}",
        "conversations.show",
        |desk, call| Box::pin(show(desk, call)),
    );
    vec![
        list.about("Lists the conversations that had a turn, the latest first.")
            .queries::<Paging>(),
        show.about("Shows the finished turns of a conversation, oldest first.")
            .queries::<Paging>(),
    ]
}

async fn list(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let (before, limit) = call.numbered_page()?;
    Answer::of(&conversations::recent(&desk.bus, before, limit).await?)
}

async fn show(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let (from, limit) = call.numbered_page()?;
    let nothing = || Problem::NotFound("no turn of such a conversation is stored");
    let id = ConversationId::new(&call.id).map_err(|_| nothing())?;
    let turns = conversations::turns(&desk.bus, &id, from.unwrap_or(0), limit).await?;
    if from.is_none() && turns.items.is_empty() {
        return Err(nothing());
    }
    Answer::of(&turns)
}
