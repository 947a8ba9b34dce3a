//! Many dead letters at once: those that a filter lets through, some at a time.

use std::sync::Arc;

use maud::{Markup, html};
use operations::dead_letters::{self, Bulk, Filter};
use runtime::clock;

use super::dead_letters::{FILTERS, SECTION, filter};
use super::layout::seal;
use super::page::{Page, Reply, Visit};
use crate::audit;
use crate::call::bad_cursor;
use crate::problem::Problem;
use crate::web::Desk;

/// How many are handled with one form: what takes some seconds.
const AT_ONCE: usize = 100;
/// The field of the sequence of the last one that is meant.
const THROUGH: &str = "through";

pub(super) fn pages() -> Vec<Page> {
    vec![
        Page::form(
            "/dead-letters/replay",
            "dead-letters.replay_some",
            |desk, visit| Box::pin(replay(desk, visit)),
        ),
        Page::form("/dead-letters/purge", "dead-letters.purge_some", |desk, visit| {
            Box::pin(purge(desk, visit))
        }),
    ]
}

/// The forms for all that are listed, with the filter that they are listed by, through the last one that there was then.
pub(super) fn forms(visit: &Visit, through: u64) -> Markup {
    let through = &through.to_string();
    let is_filtered = FILTERS.iter().any(|name| visit.asked(name).is_some());
    html! {
        details.panel {
            summary { @if is_filtered { "All that the filter lets through" } @else { "All of them" } }
            p.small { "At most " (AT_ONCE) " at once, the oldest first." }
            div.actions {
                form method="post" action="/dead-letters/replay" { (fields(visit, through, "")) button { "Replay them" } }
                form method="post" action="/dead-letters/purge" {
                    (fields(visit, through, ""))
                    button.danger { "Remove them for good" }
                }
            }
        }
    }
}

/// What a form says of the dead letters that are meant: those that there are now, and none that comes later.
fn fields(visit: &Visit, through: &str, cursor: &str) -> Markup {
    let value = |name: &str| match visit.field(name) {
        "" => visit.asked(name).unwrap_or_default().to_owned(),
        sent => sent.to_owned(),
    };
    html! {
        (seal(&visit.session))
        @for name in FILTERS { input type="hidden" name=(name) value=(value(name)); }
        @if FILTERS.iter().all(|name| value(name).is_empty()) { input type="hidden" name="all" value="yes"; }
        input type="hidden" name=(THROUGH) value=(through);
        input type="hidden" name="cursor" value=(cursor);
    }
}

async fn replay(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let (filter, from) = (meant(&visit)?, from(&visit)?);
    let done = dead_letters::replay_some(&desk.bus, &filter, from, AT_ONCE, clock::now()).await?;
    audit::name_all("dead-letters.replay_some", &done);
    let told = told(
        &visit,
        &done,
        "replayed",
        "/dead-letters/replay",
        "Go on with the rest",
    );
    Ok(Reply::page(SECTION, "Dead letters", told))
}

async fn purge(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let (filter, from) = (meant(&visit)?, from(&visit)?);
    let done = dead_letters::purge_some(&desk.bus, &filter, from, AT_ONCE).await?;
    audit::name_all("dead-letters.purge_some", &done);
    let told = told(
        &visit,
        &done,
        "removed",
        "/dead-letters/purge",
        "Remove the rest, too",
    );
    Ok(Reply::page(SECTION, "Dead letters", told))
}

/// Those that a form means. That all are meant has to be said.
fn meant(visit: &Visit) -> Result<Filter, Problem> {
    let filter = filter(&|name| visit.sent(name))?;
    if filter == Filter::default() && visit.sent("all").is_none() {
        let why = "say which: by a part of the filter, or all";
        return Err(Problem::Unusable(why.to_owned()));
    }
    let through = visit.sent(THROUGH).and_then(|through| through.parse().ok());
    let through = through.ok_or_else(|| {
        let why = "the form does not say up to which dead letter it goes: load its page anew";
        Problem::BadQuery(why.to_owned())
    })?;
    Ok(Filter {
        through: Some(through),
        ..filter
    })
}

fn from(visit: &Visit) -> Result<u64, Problem> {
    visit
        .sent("cursor")
        .map_or(Ok(0), str::parse)
        .map_err(|_| bad_cursor())
}

fn told(visit: &Visit, done: &Bulk, deed: &str, again: &str, go_on: &str) -> Markup {
    html! {
        div.notice.good[done.failed.is_empty()].warn[!done.failed.is_empty()] role="status" {
            p { (counted(done.done.len())) " " (deed) ", " (done.failed.len()) " not." }
        }
        @if !done.failed.is_empty() {
            ul { @for left in &done.failed {
                li { a.mono href={ "/dead-letters/" (left.id) } { (left.id) } " " (left.message) }
            } }
        }
        @if let Some(cursor) = &done.next_cursor {
            form method="post" action=(again) { (fields(visit, visit.field(THROUGH), cursor)) button { (go_on) } }
        }
        p { a href="/dead-letters" { "Back to the dead letters" } }
    }
}

fn counted(number: usize) -> String {
    match number {
        1 => "1 dead letter was".to_owned(),
        more => format!("{more} dead letters were"),
    }
}
