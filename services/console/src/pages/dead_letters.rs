//! Dead letters: what was given up, sent through the pipeline again, or removed.

use std::sync::Arc;

use maud::{Markup, html};
use operations::dead_letters::{self, Buried, Filter, Letters, Summary};
use proto_schemas::dead_letter::{Attempt, DeadLetter, Payload, Stage};
use proto_schemas::ids::DeadLetterId;
use proto_schemas::topology::DEAD_LETTERS;
use runtime::clock;
use url::form_urlencoded;

use super::bulk;
use super::format::{ago, exactly};
use super::layout::{done, seal};
use super::page::{Page, Reply, Visit};
use crate::call::bad_cursor;
use crate::problem::Problem;
use crate::web::Desk;

pub(super) const SECTION: &str = "/dead-letters";
/// What a list is filtered by: the fields of its form.
pub(super) const FILTERS: [&str; 4] = ["stage", "class", "integration", "conversation"];
/// Dead letters of a page.
const LISTED: usize = 50;
/// The most of a payload that is shown, in bytes.
const SHOWN_BYTES: usize = 64 * 1024;

pub(super) fn pages() -> Vec<Page> {
    vec![
        Page::new("/dead-letters", |desk, visit| Box::pin(list(desk, visit))),
        Page::new("/dead-letters/{id}", |desk, visit| Box::pin(show(desk, visit))),
        Page::form(
            "/dead-letters/{id}/replay",
            "dead-letters.replay",
            |desk, visit| Box::pin(replay(desk, visit)),
        ),
        Page::form(
            "/dead-letters/{id}/delete",
            "dead-letters.delete",
            |desk, visit| Box::pin(delete(desk, visit)),
        ),
    ]
}

async fn list(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let from = visit
        .asked("cursor")
        .map_or(Ok(0), str::parse)
        .map_err(|_| bad_cursor())?;
    let filter = filter(&|name| visit.asked(name))?;
    let through = desk.bus.holdings(DEAD_LETTERS.name).await?.last;
    let letters = dead_letters::list(&desk.bus, &filter, from, LISTED).await?;
    Ok(Reply::page(
        SECTION,
        "Dead letters",
        listed(&visit, &letters, through),
    ))
}

/// The filter of which each field is asked for.
///
/// # Errors
/// [`Problem::BadQuery`] for a stage that there is not: without it the filter would let all through.
pub(super) fn filter<'a>(asked: &impl Fn(&str) -> Option<&'a str>) -> Result<Filter, Problem> {
    let text = |name| asked(name).map(ToOwned::to_owned);
    Ok(Filter {
        stage: asked("stage").map(stage).transpose()?,
        class: text("class"),
        integration: text("integration"),
        conversation: text("conversation"),
        since: None,
        until: None,
        through: None,
    })
}

fn stage(name: &str) -> Result<Stage, Problem> {
    let found = Stage::ALL.into_iter().find(|stage| stage.as_str() == name);
    found.ok_or_else(|| Problem::BadQuery("there is no such stage".to_owned()))
}

fn listed(visit: &Visit, letters: &Letters, through: u64) -> Markup {
    html! {
        @match visit.asked("done") {
            Some("replay") => (done("Its work goes through the pipeline again; the dead letter is removed.")),
            Some("delete") => (done("The dead letter is removed.")),
            Some(_) | None => {}
        }
        (filters(visit))
        @if letters.items.is_empty() {
            p { @if letters.next.is_none() { "There are none." } @else { "None of those that were looked at." } }
        } @else {
            div.wide {
                table.stacked {
                    thead { tr { th { "Given up" } th { "By" } th { "Class" } th { "Cause" } th { "Integration" } th { "Dead letter" } } }
                    tbody { @for buried in &letters.items { (line(&Summary::from(&buried.letter))) } }
                }
            }
        }
        @if visit.is_operator() && !letters.items.is_empty() { (bulk::forms(visit, through)) }
        @if let Some(next) = letters.next {
            p { a href={ "/dead-letters?" (query(visit, next)) } { "Later dead letters" } }
        }
    }
}

/// The same list from another place on.
fn query(visit: &Visit, from: u64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for name in FILTERS {
        if let Some(value) = visit.asked(name) {
            query.append_pair(name, value);
        }
    }
    query.append_pair("cursor", &from.to_string()).finish()
}

fn filters(visit: &Visit) -> Markup {
    let chosen = visit.asked("stage").unwrap_or_default();
    html! {
        form.row method="get" action="/dead-letters" role="search" {
            div {
                label for="stage" { "Given up by" }
                select #stage name="stage" {
                    option value="" { "any service" }
                    @for stage in Stage::ALL {
                        option value=(stage.as_str()) selected[stage.as_str() == chosen] { (stage.as_str()) }
                    }
                }
            }
            @for (name, label) in [("class", "Class"), ("integration", "Integration"), ("conversation", "Conversation")] {
                div {
                    label for=(name) { (label) }
                    input id=(name) name=(name) value=(visit.asked(name).unwrap_or_default());
                }
            }
            button.quiet { "Show" }
        }
    }
}

fn line(summary: &Summary) -> Markup {
    html! {
        tr {
            td data-label="Given up" { (ago(summary.buried_at)) }
            td data-label="By" { (summary.stage.as_str()) }
            td data-label="Class" { span.tag.bad { (summary.class) } }
            td data-label="Cause" { (summary.cause) }
            td data-label="Integration" { @if let Some(integration) = &summary.integration { (integration) } }
            td data-label="Dead letter" { a.mono href={ "/dead-letters/" (summary.id) } { (summary.id) } }
        }
    }
}

async fn found(desk: &Desk, visit: &Visit) -> Result<Buried, Problem> {
    let nothing = || Problem::NotFound("no dead letter has this identifier");
    let id = DeadLetterId::new(visit.name("id")).map_err(|_| nothing())?;
    dead_letters::find(&desk.bus, &id).await?.ok_or_else(nothing)
}

async fn show(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let buried = found(&desk, &visit).await?;
    Ok(Reply::page(SECTION, "Dead letter", shown(&visit, &buried.letter)))
}

fn shown(visit: &Visit, letter: &DeadLetter) -> Markup {
    let summary = Summary::from(letter);
    html! {
        div.notice.bad { p { strong { (letter.class) } ": " (letter.cause) } }
        @if visit.is_operator() { (actions(visit, letter)) }
        dl.facts {
            dt { "Given up by" } dd { (letter.stage.as_str()) }
            dt { "When" } dd { (ago(letter.buried_at)) " (" (exactly(letter.buried_at)) ")" }
            @if let Some(conversation) = &summary.conversation {
                dt { "Conversation" } dd { a.mono href={ "/conversations/" (conversation) } { (conversation) } }
            }
            dt { "Came on" } dd { code { (letter.subject) } }
            dt { "Identifier" } dd { code { (letter.id) } }
        }
        @if !letter.attempts.is_empty() { (attempts(&letter.attempts)) }
        h2 { "Its work" }
        @match &letter.payload {
            Payload::Text(text) => (beginning(text)),
            Payload::Hex(hex) => { p { "It is no text; in hexadecimal:" } (beginning(hex)) }
            Payload::Object(key) => p { "It is too large to be shown, and lies in the object store as " code { (key) } "." },
        }
    }
}

fn actions(visit: &Visit, letter: &DeadLetter) -> Markup {
    html! {
        div.actions {
            form method="post" action={ "/dead-letters/" (letter.id) "/replay" } {
                (seal(&visit.session))
                button { "Replay" }
            }
            details {
                summary { "Remove" }
                form method="post" action={ "/dead-letters/" (letter.id) "/delete" } {
                    (seal(&visit.session))
                    p.small { "What it holds is gone for good then." }
                    button.danger { "Remove it" }
                }
            }
        }
    }
}

fn attempts(attempts: &[Attempt]) -> Markup {
    html! {
        h2 { "Attempts" }
        div.wide {
            table.stacked {
                thead { tr { th { "When" } th { "Integration" } th { "Class" } th { "Status" } th { "What happened" } th.number { "Took" } } }
                tbody {
                    @for attempt in attempts {
                        tr {
                            td data-label="When" { (exactly(attempt.at)) }
                            td data-label="Integration" { (attempt.integration) }
                            td data-label="Class" { (attempt.class) }
                            td data-label="Status" { @if let Some(status) = attempt.status { (status) } @else { "none" } }
                            td data-label="What happened" { (attempt.detail) }
                            td.number data-label="Took" { (attempt.millis) " ms" }
                        }
                    }
                }
            }
        }
    }
}

fn beginning(text: &str) -> Markup {
    let shown = &text[..text.floor_char_boundary(SHOWN_BYTES)];
    html! {
        @if shown.len() < text.len() { p { "The first " (shown.len()) " of its " (text.len()) " bytes:" } }
        pre { (shown) }
    }
}

async fn replay(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let buried = found(&desk, &visit).await?;
    dead_letters::replay(&desk.bus, &buried, clock::now()).await?;
    Ok(Reply::elsewhere("/dead-letters?done=replay"))
}

async fn delete(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let buried = found(&desk, &visit).await?;
    dead_letters::remove(&desk.bus, &buried).await?;
    Ok(Reply::elsewhere("/dead-letters?done=delete"))
}
