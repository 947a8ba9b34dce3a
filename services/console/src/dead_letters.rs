//! `/v1/dead-letters`: what was given up.

use std::sync::Arc;

use operations::dead_letters::{self, Bulk, Buried, Filter, Replayed, Summary};
use proto_schemas::dead_letter::{DeadLetter, Stage};
use proto_schemas::ids::{DeadLetterId, UnixMillis};
use runtime::clock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit;
use crate::call::{Answer, Call, bad_cursor, limit_of};
use crate::problem::Problem;
use crate::route::{Method, Route};
use crate::web::Desk;

const KIND: &str = "dead-letters";

/// Which dead letters are asked for, and which page of them.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Query {
    /// Only those of this stage.
    stage: Option<Stage>,
    /// Only those of this class, as `timeout`.
    class: Option<String>,
    /// Only those for which this integration was asked.
    integration: Option<String>,
    /// Only those of this conversation.
    conversation: Option<String>,
    /// Only those given up at this moment or later, in milliseconds since 1970.
    since: Option<UnixMillis>,
    /// Only those given up at this moment or earlier, in milliseconds since 1970.
    until: Option<UnixMillis>,
    /// The most entries of the page; 50 when absent.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which dead letters are replayed or removed: at least one of the first six has to be said, or `all`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Selection {
    /// Those of this stage.
    stage: Option<Stage>,
    /// Those of this class, as `timeout`.
    class: Option<String>,
    /// Those for which this integration was asked.
    integration: Option<String>,
    /// Those of this conversation.
    conversation: Option<String>,
    /// Those given up at this moment or later, in milliseconds since 1970.
    since: Option<UnixMillis>,
    /// Those given up at this moment or earlier, in milliseconds since 1970.
    until: Option<UnixMillis>,
    /// All that the rest lets through.
    #[serde(default)]
    all: bool,
    /// The most that one request handles; 50 when absent.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// The `next_cursor` of the answer before.
    cursor: Option<String>,
}

/// Some dead letters, oldest first. May hold none although more follow.
#[derive(Serialize, JsonSchema)]
struct DeadLetters {
    items: Vec<Summary>,
    /// What the question for the next page names; absent behind the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// What was removed.
#[derive(Serialize, JsonSchema)]
struct Removed {
    /// The dead letter.
    removed: DeadLetterId,
}

/// The routes.
pub(crate) fn routes() -> Vec<Route> {
    let (all, one) = (format!("/v1/{KIND}"), format!("/v1/{KIND}/{{id}}"));
    let name = |verb: &str| format!("{KIND}.{verb}");
    use Method::{Delete, Get, Post};
    vec![
        Route::new::<DeadLetters>(Get, &all, name("list"), |desk, call| Box::pin(list(desk, call)))
            .about("Lists what was given up, oldest first.")
            .queries::<Query>(),
        Route::new::<DeadLetter>(Get, &one, name("show"), |desk, call| Box::pin(show(desk, call)))
            .about("Shows a dead letter with its attempts and its payload."),
        Route::new::<Removed>(Delete, &one, name("delete"), |desk, call| {
            Box::pin(delete(desk, call))
        })
        .about("Removes a dead letter.")
        .for_operators(),
        Route::new::<Replayed>(Post, format!("{one}/replay"), name("replay"), |desk, call| {
            Box::pin(replay(desk, call))
        })
        .about("Sends its work through the pipeline again, and removes it.")
        .for_operators()
        .problems(&["not_replayable", "place_taken", "payload_lost"]),
        Route::new::<Bulk>(
            Post,
            format!("{all}/replay"),
            name("replay_some"),
            |desk, call| Box::pin(replay_some(desk, call)),
        )
        .about("Replays those that a filter lets through, some at a time, and tells which stay and why.")
        .for_operators()
        .takes::<Selection>()
        .problems(&["unusable"]),
        Route::new::<Bulk>(Post, format!("{all}/purge"), name("purge_some"), |desk, call| {
            Box::pin(purge_some(desk, call))
        })
        .about("Removes those that a filter lets through, some at a time.")
        .for_operators()
        .takes::<Selection>()
        .problems(&["unusable"]),
    ]
}

impl Selection {
    /// The filter, where to begin, and how many are handled at most.
    ///
    /// # Errors
    /// [`Problem::Unusable`] when it selects nothing by name, or a bound is none.
    fn parsed(self) -> Result<(Filter, u64, usize), Problem> {
        let unusable = |text: &str| Problem::Unusable(text.to_owned());
        let limit = limit_of(self.limit).map_err(|_| unusable("`limit` is 1 to 100"))?;
        let from = self.cursor.map_or(Ok(0), |cursor| cursor.parse());
        let from = from.map_err(|_| unusable("`cursor` is none that was given out"))?;
        let filter = Filter {
            stage: self.stage,
            class: self.class,
            integration: self.integration,
            conversation: self.conversation,
            since: self.since,
            until: self.until,
            through: None,
        };
        if filter == Filter::default() && !self.all {
            return Err(unusable("say which: by a part of the filter, or `all`"));
        }
        Ok((filter, from, limit))
    }
}

async fn list(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let query: Query = call.query()?;
    let limit = limit_of(query.limit)?;
    let from = query.cursor.map_or(Ok(0), |cursor| cursor.parse());
    let from = from.map_err(|_| bad_cursor())?;
    let filter = Filter {
        stage: query.stage,
        class: query.class,
        integration: query.integration,
        conversation: query.conversation,
        since: query.since,
        until: query.until,
        through: None,
    };
    let found = dead_letters::list(&desk.bus, &filter, from, limit).await?;
    Answer::of(&DeadLetters {
        items: found
            .items
            .iter()
            .map(|buried| Summary::from(&buried.letter))
            .collect(),
        next_cursor: found.next.map(|next| next.to_string()),
    })
}

async fn show(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    Answer::of(&found(&desk, &call).await?.letter)
}

async fn delete(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let buried = found(&desk, &call).await?;
    dead_letters::remove(&desk.bus, &buried).await?;
    let removed = buried.letter.id;
    Answer::of(&Removed { removed })
}

async fn replay(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let buried = found(&desk, &call).await?;
    Answer::of(&dead_letters::replay(&desk.bus, &buried, clock::now()).await?)
}

async fn replay_some(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let (filter, from, limit) = call.json::<Selection>()?.parsed()?;
    let done = dead_letters::replay_some(&desk.bus, &filter, from, limit, clock::now()).await?;
    audit::name_all("dead-letters.replay_some", &done);
    Answer::of(&done)
}

async fn purge_some(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let (filter, from, limit) = call.json::<Selection>()?.parsed()?;
    let done = dead_letters::purge_some(&desk.bus, &filter, from, limit).await?;
    audit::name_all("dead-letters.purge_some", &done);
    Answer::of(&done)
}

async fn found(desk: &Desk, call: &Call) -> Result<Buried, Problem> {
    let nothing = || Problem::NotFound("no dead letter has this identifier");
    let id = DeadLetterId::new(&call.id).map_err(|_| nothing())?;
    dead_letters::find(&desk.bus, &id).await?.ok_or_else(nothing)
}
