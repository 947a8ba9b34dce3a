//! What the pages of bots, integrations and connections have in common: lists, and making, changing, removing and
//! bringing back a record.
//!
//! Guarantees: a record is changed only over the revision that its form was made of, and removed likewise.

mod document;
mod editor;
mod history;

use std::sync::Arc;

use maud::{Markup, html};
use operations::{Record, RecordError, Stored};
use registry::Snapshot;
use serde_json::Value;

use super::layout::{done, seal};
use super::page::{Page, Reply, Visit};
use crate::call::{bad_cursor, is_identifier};
use crate::problem::Problem;
use crate::web::Desk;

/// Records of a page.
const LISTED: usize = 50;
/// Identifiers that a field proposes, at most: the page holds them all.
const PROPOSED: usize = 200;

/// What an identifier may be, in words.
pub(super) const IDENTIFIER: &str =
    "Letters, digits, - and _, as it will stand in addresses. It cannot be changed later.";

/// A kind of records, as its pages need to know it.
pub(super) trait Kind: Record {
    /// Where its pages are.
    const PLACES: Places;
    /// What a record of it is called, in small letters.
    const NAME: &'static str;
    /// The columns of its list, behind the identifier.
    const COLUMNS: [&'static str; 2];

    /// What stands in them.
    fn cells(&self) -> [Markup; 2];

    /// What stands before the fields of the form for a new one.
    fn introduction(_: &Visit) -> Markup {
        html! {}
    }

    /// A field of that form that is not seen: its name and its value.
    fn hidden(_: &Visit) -> Option<(&'static str, &'static str)> {
        None
    }

    /// The fields of that form, for the common case.
    fn fields(visit: &Visit, snapshot: &Snapshot) -> Vec<Field>;

    /// The record that was filled in there.
    fn composed(visit: &Visit) -> Value;
}

/// The addresses of a kind's pages, and what its changes are called in the log, as those of the API are.
pub(super) struct Places {
    pub(super) list: &'static str,
    pub(super) new: &'static str,
    pub(super) check_new: &'static str,
    pub(super) edit: &'static str,
    pub(super) check: &'static str,
    pub(super) history: &'static str,
    pub(super) roll_back: &'static str,
    pub(super) delete: &'static str,
    pub(super) put_action: &'static str,
    pub(super) roll_back_action: &'static str,
    pub(super) delete_action: &'static str,
}

/// A field of the form for a new record.
pub(super) struct Field {
    /// Its name in the form.
    pub(super) name: &'static str,
    /// What it is called.
    pub(super) label: &'static str,
    /// What belongs there.
    pub(super) help: &'static str,
    /// Whether it may not stay empty.
    pub(super) is_required: bool,
    /// What may be chosen; anything else may be written all the same.
    pub(super) proposals: Vec<String>,
}

impl Field {
    /// One that may not stay empty.
    pub(super) fn required(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self {
            name,
            label,
            help,
            is_required: true,
            proposals: Vec::new(),
        }
    }

    /// One that may stay empty.
    pub(super) fn optional(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self {
            is_required: false,
            ..Self::required(name, label, help)
        }
    }

    /// With the records of a kind to choose from.
    pub(super) fn of<T: Record>(mut self, snapshot: &Snapshot) -> Self {
        let mut ids = T::all(snapshot);
        ids.sort_unstable();
        ids.truncate(PROPOSED);
        self.proposals = ids.into_iter().map(ToOwned::to_owned).collect();
        self
    }
}

/// The pages of a kind, but for the one of a single record.
pub(super) fn pages<T: Kind>() -> Vec<Page> {
    let Places {
        list: all,
        new,
        check_new,
        edit,
        check,
        history: past,
        roll_back,
        delete,
        put_action,
        roll_back_action,
        delete_action,
    } = T::PLACES;
    vec![
        Page::new(all, |desk, visit| Box::pin(list::<T>(desk, visit))),
        Page::new(new, |desk, visit| {
            Box::pin(async move { editor::begin::<T>(&desk, &visit) })
        }),
        Page::form(new, put_action, |desk, visit| {
            Box::pin(editor::put::<T>(desk, visit))
        }),
        Page::question(check_new, |desk, visit| Box::pin(editor::check::<T>(desk, visit))),
        Page::new(edit, |desk, visit| Box::pin(editor::edit::<T>(desk, visit))),
        Page::form(edit, put_action, |desk, visit| {
            Box::pin(editor::put::<T>(desk, visit))
        }),
        Page::question(check, |desk, visit| Box::pin(editor::check::<T>(desk, visit))),
        Page::new(past, |desk, visit| Box::pin(history::show::<T>(desk, visit))),
        Page::form(roll_back, roll_back_action, |desk, visit| {
            Box::pin(history::roll_back::<T>(desk, visit))
        }),
        Page::form(delete, delete_action, |desk, visit| {
            Box::pin(history::delete::<T>(desk, visit))
        }),
    ]
}

/// The page of a record, with what its kind shows of it.
pub(super) fn framed<T: Kind>(visit: &Visit, stored: &Stored<T>, body: &Markup) -> Markup {
    html! {
        @match visit.asked("done") {
            Some("put") => (done("It is stored, and every service is told.")),
            Some("rollback") => (done("It is stored as it was then, and every service is told.")),
            Some(_) | None => {}
        }
        div.actions {
            @if visit.is_operator() { a.button href={ (address::<T>(&stored.id)) "/edit" } { "Change" } }
            a.button.quiet href={ (address::<T>(&stored.id)) "/history" } { "History" }
            @if visit.is_operator() { (removal(visit, stored)) }
        }
        @match &stored.record {
            Some(record) => { (body) details.panel { summary { "All settings" } pre { (document::written(record)) } } }
            None => div.notice.bad { p { "This build cannot read what is stored. Replace it, or go back to a revision of its history." } }
        }
        p.small { "Revision " (stored.revision) }
    }
}

fn removal<T: Kind>(visit: &Visit, stored: &Stored<T>) -> Markup {
    html! {
        details {
            summary { "Remove" }
            form method="post" action={ (address::<T>(&stored.id)) "/delete" } {
                (seal(&visit.session))
                input type="hidden" name="revision" value=(stored.revision);
                p.small { "What it was stays in its history." }
                button.danger { "Remove it" }
            }
        }
    }
}

/// The address of a record's page.
pub(super) fn address<T: Record>(id: &str) -> String {
    format!("/{}/{id}", T::KIND)
}

/// A link to a record's page.
pub(super) fn link<T: Record>(id: &str) -> Markup {
    html! { a href=(address::<T>(id)) { (id) } }
}

/// The record that a visit is about.
///
/// # Errors
/// [`Problem`] when there is none, or the broker's.
pub(super) async fn found<T: Record>(desk: &Desk, visit: &Visit) -> Result<Stored<T>, Problem> {
    Ok(operations::show::<T>(&desk.bus, identifier(visit)?).await?)
}

/// The identifier in a visit's address. Nothing that is stored has another name, and none of it is put into a subject.
pub(super) fn identifier(visit: &Visit) -> Result<&str, Problem> {
    let id = visit.name("id");
    if is_identifier(id) {
        Ok(id)
    } else {
        Err(Problem::Record(RecordError::Unknown))
    }
}

async fn list<T: Kind>(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let after = visit.asked("cursor");
    if after.is_some_and(|after| !is_identifier(after)) {
        return Err(bad_cursor());
    }
    let snapshot = desk.registry.current();
    let page = operations::list::<T>(&desk.bus, &snapshot, after, LISTED).await?;
    let body = html! {
        @if visit.is_operator() {
            div.actions { a.button href=(T::PLACES.new) { "New " (T::NAME) } }
        }
        @if page.items.is_empty() { p { "There are none." } } @else { (table(&page.items)) }
        @if let Some(cursor) = &page.next_cursor {
            p { a href={ (T::PLACES.list) "?cursor=" (cursor) } { "More" } }
        }
    };
    Ok(Reply::page(T::PLACES.list, plural::<T>(), body))
}

fn table<T: Kind>(items: &[Stored<T>]) -> Markup {
    let name = capital(T::NAME);
    html! {
        div.wide {
            table.stacked {
                thead { tr { th { (name) } @for column in T::COLUMNS { th { (column) } } } }
                tbody {
                    @for stored in items {
                        tr {
                            td data-label=(name) { (link::<T>(&stored.id)) }
                            @match &stored.record {
                                Some(record) => @for (column, cell) in T::COLUMNS.iter().zip(record.cells()) {
                                    td data-label=(column) { (cell) }
                                },
                                None => td colspan="2" { span.tag.bad { "unreadable" } },
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the records of a kind are called, in a title.
fn plural<T: Kind>() -> String {
    capital(T::KIND)
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

#[cfg(test)]
mod tests {
    use registry::Integration;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_proposes_the_first_records_and_no_more_than_it_may() {
        let mut snapshot = Snapshot::default();
        for number in 0..=PROPOSED {
            let record = json!({"id": format!("i{number:04}"), "url": "https://a.example/"});
            let record: Integration = serde_json::from_value(record).unwrap();
            snapshot.integrations.insert(record.id.clone(), record.into());
        }
        let field = Field::required("integration", "", "").of::<Integration>(&snapshot);
        assert_eq!(field.proposals.len(), PROPOSED);
        assert_eq!(
            (&*field.proposals[0], &*field.proposals[PROPOSED - 1]),
            ("i0000", "i0199")
        );
    }
}
