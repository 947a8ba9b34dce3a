//! Dead letters over the admin API.

use operations::dead_letters::{Bulk, Filter, Replayed, Summary};
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::ids::DeadLetterId;
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::server::{Server, Trouble};

/// How many one request removes.
const AT_ONCE: usize = 100;

/// All that a filter lets through, oldest first.
pub(super) async fn all(server: &Server, filter: Filter) -> Result<Vec<Summary>, Trouble> {
    let query: Vec<(&str, String)> = said(filter)
        .into_iter()
        .map(|(name, value)| {
            (
                name,
                value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            )
        })
        .collect();
    server.list("/v1/dead-letters", &query).await
}

/// One of them, with attempts and payload; none when it is gone.
pub(super) async fn show(server: &Server, id: &DeadLetterId) -> Result<Option<DeadLetter>, Trouble> {
    let found = server.find(&format!("/v1/dead-letters/{id}")).await?;
    Ok(found.map(|found| found.value))
}

/// Has one replayed.
pub(super) async fn replay(server: &Server, id: &DeadLetterId) -> Result<Replayed, Failure> {
    let replayed = server
        .post(&format!("/v1/dead-letters/{id}/replay"), &json!({}))
        .await;
    replayed.map_err(Failure::from)
}

/// Has one removed.
pub(super) async fn remove(server: &Server, id: &DeadLetterId) -> Result<(), Failure> {
    let _removed: Value = server.delete(&format!("/v1/dead-letters/{id}")).await?;
    Ok(())
}

/// Has all removed that a filter lets through; how many.
pub(super) async fn purge(server: &Server, filter: Filter) -> Result<usize, Failure> {
    let mut selection: Map<String, Value> = said(filter)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    selection.insert("all".to_owned(), true.into());
    selection.insert("limit".to_owned(), AT_ONCE.into());
    let mut removed = 0;
    loop {
        let bulk: Bulk = server.post("/v1/dead-letters/purge", &selection).await?;
        removed += bulk.done.len();
        if let Some(left) = bulk.failed.first() {
            return Err(Failure(format!(
                "{removed} removed, then {}: {}",
                left.id, left.message
            )));
        }
        match bulk.next_cursor {
            Some(next) => selection.insert("cursor".to_owned(), next.into()),
            None => return Ok(removed),
        };
    }
}

/// The parts of a filter that are said, as the API names them.
fn said(filter: Filter) -> Vec<(&'static str, Value)> {
    let Filter {
        stage,
        class,
        integration,
        conversation,
        since,
        until,
        // The API has no such parameter; only the forms of the console's pages need it.
        through: _,
    } = filter;
    let parts = [
        ("stage", stage.map(|stage| stage.as_str().into())),
        ("class", class.map(Value::from)),
        ("integration", integration.map(Value::from)),
        ("conversation", conversation.map(Value::from)),
        ("since", since.map(|since| since.0.into())),
        ("until", until.map(|until| until.0.into())),
    ];
    parts
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}
