//! `/v1/bots`, `/v1/integrations` and `/v1/connections`: the configuration.

use std::sync::Arc;

use operations::{Page, Past, Record, Stored, Written};
use registry::Problem as BrokenRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::call::{Answer, Call, Paging};
use crate::problem::Problem;
use crate::route::{Method, Needs, Route};
use crate::web::Desk;

/// What a record was, newest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HistoryOf{T}")]
struct History<T> {
    items: Vec<Past<T>>,
}

/// What a check of a record says.
#[derive(Serialize, JsonSchema)]
struct Judgement {
    /// The rules that it breaks; none when it may be stored.
    errors: Vec<BrokenRule>,
}

/// Where to go back to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rollback {
    /// A revision of the history.
    revision: u64,
}

/// The routes of a kind of records.
pub(crate) fn routes<T: Record>() -> Vec<Route> {
    let kind = T::KIND;
    let (all, one) = (format!("/v1/{kind}"), format!("/v1/{kind}/{{id}}"));
    let name = |verb: &str| format!("{kind}.{verb}");
    use Method::{Delete, Get, Post, Put};
    vec![
        Route::new::<Page<T>>(Get, all, name("list"), |desk, call| {
            Box::pin(list::<T>(desk, call))
        })
        .about("Lists the records, in the order of their identifiers.")
        .queries::<Paging>(),
        Route::new::<T>(Get, &one, name("show"), |desk, call| {
            Box::pin(show::<T>(desk, call))
        })
        .about("Shows a record. Its ETag is its revision.")
        .problems(&["unreadable"]),
        Route::new::<Written>(Put, &one, name("put"), |desk, call| {
            Box::pin(put::<T>(desk, call))
        })
        .about("Creates or replaces a record, if it breaks no rule.")
        .for_operators()
        .takes::<T>()
        .needs(Needs::RevisionOrAbsence)
        .problems(&["unusable", "invalid"]),
        Route::new::<Written>(Delete, &one, name("delete"), |desk, call| {
            Box::pin(delete::<T>(desk, call))
        })
        .about("Removes a record that no other refers to. Its history stays.")
        .for_operators()
        .needs(Needs::Revision)
        .problems(&["in_use"]),
        Route::new::<Judgement>(Post, format!("{one}/validate"), name("validate"), |desk, call| {
            Box::pin(validate::<T>(desk, call))
        })
        .about("Tells which rules a record would break if it were stored, and stores nothing.")
        .takes::<T>()
        .problems(&["unusable"]),
        Route::new::<History<T>>(Get, format!("{one}/history"), name("history"), |desk, call| {
            Box::pin(history::<T>(desk, call))
        })
        .about("Shows what a record was, newest first: its last ten revisions."),
        Route::new::<Written>(Post, format!("{one}/rollback"), name("rollback"), |desk, call| {
            Box::pin(roll_back::<T>(desk, call))
        })
        .about("Stores a record, or one that was removed, as an earlier revision had it.")
        .for_operators()
        .takes::<Rollback>()
        .needs(Needs::RevisionOrAbsence)
        .problems(&["unusable", "unknown_revision", "invalid"]),
    ]
}

async fn list<T: Record>(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page()?;
    let snapshot = desk.registry.current();
    let page = operations::list::<T>(&desk.bus, &snapshot, after.as_deref(), limit).await?;
    Answer::of(&page)
}

async fn show<T: Record>(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let Stored { revision, record, .. } = operations::show::<T>(&desk.bus, &call.id).await?;
    match record {
        Some(record) => Ok(Answer::of(&record)?.at(revision)),
        None => Err(Problem::Unreadable),
    }
}

async fn put<T: Record>(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let condition = call.condition()?;
    Answer::changed(operations::put::<T>(&desk.bus, &desk.secrets, &call.id, call.json()?, condition).await?)
}

async fn delete<T: Record>(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let revision = call.revision()?;
    let snapshot = desk.registry.current();
    Answer::changed(operations::delete::<T>(&desk.bus, &snapshot, &call.id, revision).await?)
}

async fn validate<T: Record>(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let errors = operations::validate::<T>(&desk.bus, &desk.secrets, &call.id, call.json()?).await?;
    Answer::of(&Judgement { errors })
}

async fn history<T: Record>(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let items = operations::history::<T>(&desk.bus, &call.id).await?;
    Answer::of(&History { items })
}

async fn roll_back<T: Record>(desk: Arc<Desk>, call: Call) -> Result<Answer, Problem> {
    let condition = call.condition()?;
    let Rollback { revision } = call.json()?;
    Answer::changed(
        operations::roll_back::<T>(&desk.bus, &desk.secrets, &call.id, revision, condition).await?,
    )
}
