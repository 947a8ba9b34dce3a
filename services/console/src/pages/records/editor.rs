//! Making and changing a record: a small form for what is new, and a text for everything.

use std::sync::Arc;

use maud::{Markup, html};
use operations::{Condition, RecordError, Stored};
use serde_json::Value;

use super::document::{difference, read, written};
use super::{Field, Kind, address, capital, found, identifier, link};
use crate::pages::layout::{done, seal};
use crate::pages::page::{Reply, Visit};
use crate::pages::problem;
use crate::problem::Problem;
use crate::web::Desk;

/// The field that asks for the form of another kind; there is one of text.
const AS: &str = "as";
/// The field of the text.
const TEXT: &str = "text";
/// The field of the revision that is replaced; empty for what is new.
const REVISION: &str = "revision";

/// What was sent: a record, and where it is to be stored.
struct Draft {
    id: String,
    record: Value,
    condition: Condition,
}

/// A form for a new record.
pub(super) fn begin<T: Kind>(desk: &Desk, visit: &Visit) -> Result<Reply, Problem> {
    may_change(visit)?;
    let body = small_form::<T>(desk, visit);
    Ok(Reply::page(T::PLACES.list, title::<T>(visit), body))
}

/// The form for a record that is there.
pub(super) async fn edit<T: Kind>(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    may_change(&visit)?;
    let Stored { revision, record, .. } = found::<T>(&desk, &visit).await?;
    let text = record.as_ref().map(written).unwrap_or_default();
    let body = editor::<T>(&visit, &revision.to_string(), &text);
    Ok(Reply::page(T::PLACES.list, title::<T>(&visit), body))
}

/// Tells which rules a record would break, or shows it as text if that is asked for. Stores nothing.
pub(super) async fn check<T: Kind>(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    if visit.field(AS) == TEXT {
        let body = editor::<T>(&visit, "", &written(&T::composed(&visit)));
        return Ok(Reply::page(T::PLACES.list, title::<T>(&visit), body));
    }
    let judged = async {
        let draft = draft::<T>(&visit)?;
        match operations::validate::<T>(&desk.bus, &desk.secrets, &draft.id, draft.record).await? {
            broken if broken.is_empty() => Ok(()),
            broken => Err(Problem::Record(RecordError::Invalid(broken))),
        }
    };
    Ok(match judged.await {
        Ok(()) => {
            let body = html! { (done("It breaks no rule. Nothing is stored yet.")) (form_again::<T>(&desk, &visit)) };
            Reply::page(T::PLACES.list, title::<T>(&visit), body)
        }
        Err(why) => again::<T>(&desk, &visit, why),
    })
}

/// Stores a record.
pub(super) async fn put<T: Kind>(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let stored = async {
        let draft = draft::<T>(&visit)?;
        let put = operations::put::<T>(&desk.bus, &desk.secrets, &draft.id, draft.record, draft.condition);
        Ok((put.await?, draft.id))
    };
    match stored.await {
        Ok((written, id)) => Ok(Reply::Elsewhere {
            to: format!("{}?done=put", address::<T>(&id)),
            written: Some(written),
        }),
        Err(why @ Problem::Record(RecordError::Changed)) => changed::<T>(&desk, &visit, why).await,
        Err(why) => Ok(again::<T>(&desk, &visit, why)),
    }
}

fn may_change(visit: &Visit) -> Result<(), Problem> {
    visit.is_operator().then_some(()).ok_or(Problem::Forbidden)
}

fn draft<T: Kind>(visit: &Visit) -> Result<Draft, Problem> {
    let record = if visit.form.contains_key(TEXT) {
        read(visit.field(TEXT))?
    } else {
        T::composed(visit)
    };
    let id = if visit.names.contains_key("id") {
        identifier(visit)?
    } else {
        visit.field("id").trim()
    };
    let condition = match visit.field(REVISION) {
        "" => Condition::Absent,
        revision => Condition::Revision(revision.parse().map_err(|_| Problem::BadCondition)?),
    };
    Ok(Draft {
        id: id.to_owned(),
        record,
        condition,
    })
}

fn title<T: Kind>(visit: &Visit) -> String {
    match visit.name("id") {
        "" => format!("New {}", T::NAME),
        id => format!("{} {id}", capital(T::NAME)),
    }
}

/// The form again, with what was sent and why it is not taken.
fn again<T: Kind>(desk: &Desk, visit: &Visit, why: Problem) -> Reply {
    Reply::Again {
        title: title::<T>(visit),
        section: T::PLACES.list,
        body: html! { (problem::told(&why)) (form_again::<T>(desk, visit)) },
        why,
    }
}

fn form_again<T: Kind>(desk: &Desk, visit: &Visit) -> Markup {
    if visit.form.contains_key(TEXT) {
        editor::<T>(visit, visit.field(REVISION), visit.field(TEXT))
    } else {
        small_form::<T>(desk, visit)
    }
}

/// The form again after a new record has found its identifier taken, or a change its record removed.
fn taken<T: Kind>(desk: &Desk, visit: &Visit, why: Problem) -> Reply {
    let id = visit.field("id").trim();
    Reply::Again {
        title: title::<T>(visit),
        section: T::PLACES.list,
        body: html! {
            (problem::told(&why))
            @if visit.name("id").is_empty() {
                p { "There is one of this identifier: " (link::<T>(id)) }
                (form_again::<T>(desk, visit))
            } @else {
                p { "Somebody else has removed it since you began. Storing yours makes it anew." }
                (editor::<T>(visit, "", visit.field(TEXT)))
            }
        },
        why,
    }
}

/// The form again after somebody else was faster: over what is there now, with what would differ from it.
async fn changed<T: Kind>(desk: &Desk, visit: &Visit, why: Problem) -> Result<Reply, Problem> {
    let now = match found::<T>(desk, visit).await {
        Ok(now) => now,
        // It was removed meanwhile, or it was to be new.
        Err(Problem::Record(RecordError::Unknown)) => return Ok(taken::<T>(desk, visit, why)),
        Err(problem) => return Err(problem),
    };
    let there = now.record.as_ref().map(written).unwrap_or_default();
    let sent = visit.field(TEXT).replace("\r\n", "\n");
    let body = html! {
        (problem::told(&why))
        p { "Somebody else has changed it since you began. Storing yours changes this of what is there now:" }
        (difference(&there, &sent))
        (editor::<T>(visit, &now.revision.to_string(), &sent))
    };
    Ok(Reply::Again {
        title: title::<T>(visit),
        section: T::PLACES.list,
        body,
        why,
    })
}

fn editor<T: Kind>(visit: &Visit, revision: &str, text: &str) -> Markup {
    let (put, check) = match visit.name("id") {
        "" => (T::PLACES.new.to_owned(), T::PLACES.check_new.to_owned()),
        id => {
            let address = address::<T>(id);
            (format!("{address}/edit"), format!("{address}/check"))
        }
    };
    html! {
        form method="post" action=(put) {
            (seal(&visit.session))
            input type="hidden" name=(REVISION) value=(revision);
            @if visit.name("id").is_empty() {
                label for="id" { "Identifier" }
                input #id name="id" value=(visit.field("id")) required autocomplete="off" autocapitalize="off" spellcheck="false";
                p.small { "The same as in the text." }
            }
            label for="record" { "The " (T::NAME) ", as YAML or JSON" }
            p.small #about { "Comments are not kept. Secrets are references, " code { "env:NAME" } " or " code { "file:PATH" } ", never values." }
            textarea.record #record name=(TEXT) aria-describedby="about" spellcheck="false" autocapitalize="off" { "\n" (text) }
            div.actions {
                button { "Store" }
                button.quiet formaction=(check) { "Check" }
            }
        }
    }
}

fn small_form<T: Kind>(desk: &Desk, visit: &Visit) -> Markup {
    let snapshot = desk.registry.current();
    html! {
        (T::introduction(visit))
        form method="post" action=(T::PLACES.new) {
            (seal(&visit.session))
            @if let Some((name, value)) = T::hidden(visit) { input type="hidden" name=(name) value=(value); }
            @for field in T::fields(visit, &snapshot) { (input(&field, visit)) }
            div.actions {
                button { "Store" }
                button.quiet formaction=(T::PLACES.check_new) formnovalidate { "Check" }
                button.quiet formaction=(T::PLACES.check_new) formnovalidate name=(AS) value=(TEXT) { "Go on as text" }
            }
        }
        p.small { "There are more settings: go on as text, or change it afterwards." }
    }
}

fn input(field: &Field, visit: &Visit) -> Markup {
    let (help, proposals) = (format!("{}-help", field.name), format!("{}-list", field.name));
    let offers = !field.proposals.is_empty();
    html! {
        label for=(field.name) { (field.label) @if !field.is_required { " (optional)" } }
        input id=(field.name) name=(field.name) value=(visit.field(field.name)) required[field.is_required]
            list=[offers.then_some(&proposals)] aria-describedby=(help) autocomplete="off" autocapitalize="off" spellcheck="false";
        p.small id=(help) { (field.help) }
        @if offers {
            datalist id=(proposals) { @for proposal in &field.proposals { option value=(proposal) {} } }
        }
    }
}
