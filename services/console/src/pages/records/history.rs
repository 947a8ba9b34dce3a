//! What a record was, going back to that, and removing it.

use std::sync::Arc;

use maud::{Markup, html};
use operations::{Condition, Past};

use super::document::{difference, written};
use super::{Kind, address, capital, identifier};
use crate::pages::layout::{done, seal};
use crate::pages::page::{Reply, Visit};
use crate::problem::Problem;
use crate::web::Desk;

/// The revisions of a record, newest first.
pub(super) async fn show<T: Kind>(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let id = identifier(&visit)?;
    let past = operations::history::<T>(&desk.bus, id).await?;
    let title = format!("{} {id}: history", capital(T::NAME));
    Ok(Reply::page(T::PLACES.list, title, listed(&visit, id, &past)))
}

fn listed<T: Kind>(visit: &Visit, id: &str, past: &[Past<T>]) -> Markup {
    let is_there = past.first().is_some_and(|newest| !newest.removed);
    html! {
        @if visit.asked("done") == Some("delete") {
            (done("It is removed. What it was stays here, and can be brought back."))
        }
        @if is_there { p { a href=(address::<T>(id)) { "What it is now" } } }
        @for (number, revision) in past.iter().enumerate() {
            div.panel {
                h2 { "Revision " (revision.revision) @if number == 0 && is_there { " " span.tag.good { "now" } } }
                p.small { "Stored " (revision.stored_at) }
                (told(revision, past.get(number + 1)))
                @if visit.is_operator() && revision.record.is_some() && (number > 0) {
                    (way_back(visit, id, revision.revision, past))
                }
            }
        }
        p.small { "The last ten revisions are kept." }
    }
}

/// What a revision has changed of the one before.
fn told<T: Kind>(revision: &Past<T>, before: Option<&Past<T>>) -> Markup {
    let earlier = before.and_then(|before| before.record.as_ref());
    html! {
        @match (&revision.record, earlier) {
            (Some(record), Some(earlier)) => (difference(&written(earlier), &written(record))),
            (Some(record), None) => pre { (written(record)) },
            (None, _) if revision.removed => p { "It was removed." },
            (None, _) => p { "This build cannot read it." },
        }
    }
}

fn way_back<T: Kind>(visit: &Visit, id: &str, to: u64, past: &[Past<T>]) -> Markup {
    let newest = past.first().filter(|newest| !newest.removed);
    let now = newest
        .map(|newest| newest.revision.to_string())
        .unwrap_or_default();
    html! {
        form method="post" action={ (address::<T>(id)) "/rollback" } {
            (seal(&visit.session))
            input type="hidden" name="revision" value=(now);
            input type="hidden" name="to" value=(to);
            button.quiet { "Go back to this" }
        }
    }
}

/// Stores a record as it was at an earlier revision.
pub(super) async fn roll_back<T: Kind>(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let id = identifier(&visit)?;
    let condition = match visit.field("revision") {
        "" => Condition::Absent,
        now => Condition::Revision(number(now)?),
    };
    let written = operations::roll_back::<T>(
        &desk.bus,
        &desk.secrets,
        id,
        number(visit.field("to"))?,
        condition,
    )
    .await?;
    Ok(Reply::Elsewhere {
        to: format!("{}?done=rollback", address::<T>(id)),
        written: Some(written),
    })
}

/// Removes a record that no other refers to.
pub(super) async fn delete<T: Kind>(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let id = identifier(&visit)?;
    let snapshot = desk.registry.current();
    let revision = number(visit.field("revision"))?;
    let written = operations::delete::<T>(&desk.bus, &snapshot, id, revision).await?;
    Ok(Reply::Elsewhere {
        to: format!("{}/history?done=delete", address::<T>(id)),
        written: Some(written),
    })
}

fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::BadCondition)
}
