//! `/v1/conversations`: what was said, how one starts afresh, and how it is forgotten.

use std::sync::Arc;

use operations::conversations::{self, Recent, Turns};
use operations::forget::Removed;
use operations::reset::{ResetAsked, reset};
use proto_schemas::ids::ConversationId;
use runtime::clock;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::call::{Answer, Call, Paging, is_identifier};
use crate::problem::Problem;
use crate::route::{Method, Route};
use crate::web::Desk;

/// What a reset is asked for with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// A name for the request, of letters, digits, `_` and `-`: when it comes again within two minutes, nothing is done
    /// again.
    request_id: Option<String>,
}

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
    let reset = Route::new::<ResetAsked>(
        Method::Post,
        "/v1/conversations/{id}/reset",
        "conversations.reset",
        |desk, call| Box::pin(start_afresh(desk, call)),
    );
    let forget = Route::new::<Removed>(
        Method::Delete,
        "/v1/conversations/{id}",
        "conversations.forget",
        |desk, call| Box::pin(forget(desk, call)),
    );
    vec![
        list.about("Lists the conversations that had a turn, the latest first.")
            .queries::<Paging>(),
        show.about("Shows the finished turns of a conversation, oldest first.")
            .queries::<Paging>(),
        reset
            .about("Has a conversation start afresh, in its place behind what was written, and tells the user so.")
            .for_operators()
            .takes::<Reset>()
            .problems(&["unusable"]),
        forget
            .about("Removes what is stored of a conversation. Takes up to 30 s and more while replies are under way.")
            .for_operators()
            .problems(&["forget_user_missing", "forget_user_refused", "busy"]),
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

async fn start_afresh(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let nothing = || Problem::NotFound("the inbox has nothing of such a conversation");
    let id = ConversationId::new(&call.id).map_err(|_| nothing())?;
    let Reset { request_id } = call.json()?;
    if request_id.as_ref().is_some_and(|name| !is_identifier(name)) {
        return Err(Problem::Unusable("`request_id` is no identifier".to_owned()));
    }
    let asked = reset(&desk.bus, &id, request_id.as_deref(), clock::now()).await?;
    Answer::of(&asked.ok_or_else(nothing)?)
}

async fn forget(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let nothing = || Problem::NotFound("nothing is stored of such a conversation");
    let id = ConversationId::new(&call.id).map_err(|_| nothing())?;
    let removed = desk.forgetting.forget(&desk.bus, id).await?;
    Answer::of(&removed.ok_or_else(nothing)?)
}
