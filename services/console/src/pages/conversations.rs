//! Conversations: which there were lately, and what was said in one.

use std::sync::Arc;

use maud::{Markup, html};
use operations::conversations::{self, Recent, Summary, Turns};
use operations::forget::Removed;
use operations::reset::reset;
use proto_schemas::content::{IncomingFile, User, Utterance};
use proto_schemas::context::{Conclusion, TurnResult};
use proto_schemas::ids::ConversationId;
use proto_schemas::subjects;
use proto_schemas::topology::INBOX;
use proto_schemas::transcript::{Receipt, Transcript};
use rand::RngExt;
use runtime::clock;

use super::attachments;
use super::format::ago;
use super::layout::{done, seal};
use super::page::{Page, Reply, Visit};
use crate::call::{bad_cursor, is_identifier};
use crate::problem::Problem;
use crate::web::Desk;

const SECTION: &str = "/conversations";
/// Conversations of a page.
const LISTED: usize = 50;
/// Turns of a page.
const TURNS: usize = 50;

pub(super) fn pages() -> Vec<Page> {
    vec![
        Page::new("/conversations", |desk, visit| Box::pin(list(desk, visit))),
        Page::new("/conversations/{id}", |desk, visit| Box::pin(show(desk, visit))),
        Page::form(
            "/conversations/{id}/reset",
            "conversations.reset",
            |desk, visit| Box::pin(start_afresh(desk, visit)),
        ),
        Page::form(
            "/conversations/{id}/forget",
            "conversations.forget",
            |desk, visit| Box::pin(forget(desk, visit)),
        ),
    ]
}

async fn list(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let recent = conversations::recent(&desk.bus, number(visit.asked("cursor"))?, LISTED).await?;
    Ok(Reply::page(SECTION, "Conversations", listed(&recent)))
}

fn number(cursor: Option<&str>) -> Result<Option<u64>, Problem> {
    cursor.map(str::parse).transpose().map_err(|_| bad_cursor())
}

fn listed(recent: &Recent) -> Markup {
    html! {
        @if recent.items.is_empty() && recent.next_cursor.is_none() {
            p { "No turn has been finished yet." }
        }
        @if !recent.items.is_empty() {
            div.wide {
                table.stacked {
                    thead { tr { th { "Who" } th { "Bot" } th { "Connection" } th { "Last turn" } th { "Conversation" } } }
                    tbody { @for summary in &recent.items { (line(summary)) } }
                }
            }
        }
        @if let Some(cursor) = &recent.next_cursor {
            p { a href={ "/conversations?cursor=" (cursor) } { "Earlier conversations" } }
        }
    }
}

fn line(summary: &Summary) -> Markup {
    html! {
        tr {
            td data-label="Who" { (who(&summary.user)) }
            td data-label="Bot" { (summary.bot) }
            td data-label="Connection" { (summary.connection) " (" (summary.channel.as_str()) ")" }
            td data-label="Last turn" { (ago(summary.concluded_at)) }
            td data-label="Conversation" { a.mono href={ "/conversations/" (summary.id) } { (summary.id) } }
        }
    }
}

/// A user as people know them.
fn who(user: &User) -> Markup {
    html! {
        (user.name.as_deref().unwrap_or(&user.id))
        @if let Some(username) = &user.username { " " span.small { "@" (username) } }
    }
}

async fn show(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let nothing = || Problem::NotFound("no turn of such a conversation is stored");
    let id = ConversationId::new(visit.name("id")).map_err(|_| nothing())?;
    let from = number(visit.asked("cursor"))?;
    let turns = conversations::turns(&desk.bus, &id, from.unwrap_or(0), TURNS).await?;
    if from.is_none() && turns.items.is_empty() && !is_in_inbox(&desk, &id).await? {
        return Err(nothing());
    }
    let body = html! {
        @if visit.asked("done") == Some("reset") {
            (done("It starts afresh as soon as what was written before is answered; its user is told."))
        }
        @if visit.is_operator() { (actions(&visit, &id)) }
        (shown(&id, &turns))
    };
    Ok(Reply::page(SECTION, "Conversation", body))
}

fn actions(visit: &Visit, id: &ConversationId) -> Markup {
    // Names the request, so that a form that is sent twice is done once.
    let request: u64 = rand::rng().random();
    html! {
        div.actions {
            form method="post" action={ "/conversations/" (id) "/reset" } {
                (seal(&visit.session))
                input type="hidden" name="request" value={ "console-" (format!("{request:016x}")) };
                button.quiet { "Start it afresh" }
            }
            details {
                summary { "Remove" }
                form method="post" action={ "/conversations/" (id) "/forget" } {
                    (seal(&visit.session))
                    p.small { "What the broker has of it is gone for good then. This takes up to half a minute." }
                    button.danger { "Remove the conversation" }
                }
            }
        }
    }
}

async fn start_afresh(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let nothing = || Problem::NotFound("the inbox has nothing of such a conversation");
    let id = ConversationId::new(visit.name("id")).map_err(|_| nothing())?;
    let request = visit.sent("request").filter(|name| is_identifier(name));
    let asked = reset(&desk.bus, &id, request, clock::now()).await?;
    asked.ok_or_else(nothing)?;
    Ok(Reply::elsewhere(format!("/conversations/{id}?done=reset")))
}

async fn forget(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let nothing = || Problem::NotFound("nothing is stored of such a conversation");
    let id = ConversationId::new(visit.name("id")).map_err(|_| nothing())?;
    let removed = desk.forgetting.forget(&desk.bus, id).await?.ok_or_else(nothing)?;
    Ok(Reply::page(SECTION, "Conversation removed", told(&removed)))
}

/// What was removed, and what stays.
fn told(removed: &Removed) -> Markup {
    html! {
        div.notice.good[removed.interrupted == 0].warn[removed.interrupted > 0] role="status" {
            p { "What was stored of the conversation is removed:" }
            ul {
                @for (store, amount) in &removed.entries { li { (amount) " " (store.entries()) } }
                li { (removed.files.len()) " files" }
            }
            @if removed.interrupted > 0 {
                p { (removed.interrupted) " replies or fetches were still under way: remove it again in some minutes, for what \
                     they leave behind." }
            }
        }
        @if !removed.shared.is_empty() { p { (removed.shared.len()) " files stay, as others refer to them." } }
        @if !removed.elsewhere.is_empty() {
            p { "These files are not in the broker. If they lie in S3, remove them there:" }
            ul { @for key in &removed.elsewhere { li { code { (key) } } } }
        }
        p { a href="/conversations" { "Back to the conversations" } }
    }
}

/// Whether something was written in it that may wait for its turn.
async fn is_in_inbox(desk: &Desk, id: &ConversationId) -> Result<bool, Problem> {
    let last = desk.bus.last(INBOX.name, &subjects::inbox(id)).await?;
    Ok(last.is_some())
}

fn shown(id: &ConversationId, turns: &Turns) -> Markup {
    html! {
        @if turns.items.is_empty() { p { "No turn of it is finished. Identifier: " code { (id) } } }
        @if let Some(turn) = turns.items.last() { (about(id, turn)) }
        h2 #said { "What was said" }
        ol.talk aria-labelledby="said" { @for turn in &turns.items { (talk(turn)) } }
        @if let Some(cursor) = &turns.next_cursor {
            p { a href={ "/conversations/" (id) "?cursor=" (cursor) } { "Later turns" } }
        }
    }
}

fn about(id: &ConversationId, turn: &Transcript) -> Markup {
    html! {
        dl.facts {
            dt { "Who" } dd { (who(&turn.user)) " " span.small { "(" (turn.user.id) ")" } }
            dt { "Bot" } dd { (turn.bot) }
            dt { "Connection" } dd { (turn.connection) " (" (turn.channel.as_str()) ")" }
            dt { "Identifier" } dd { code { (id) } }
        }
    }
}

/// A turn: what was asked, and what was answered.
pub(super) fn talk(turn: &Transcript) -> Markup {
    html! {
        @for utterance in &turn.question { (question(utterance)) }
        (answer(turn))
    }
}

fn question(utterance: &Utterance) -> Markup {
    html! {
        li.user {
            (utterance.text)
            @for file in &utterance.files { (sent_file(file)) }
            p.small {
                (ago(utterance.at))
                @if let Some(message) = &utterance.message_id {
                    " · " a href={ "/messages/" (message) } aria-label={ "Trace of " (message) } { "trace" }
                }
            }
        }
    }
}

fn sent_file(file: &IncomingFile) -> Markup {
    html! {
        p.small {
            @match file {
                IncomingFile::Stored(file) => { "File: " a href=(attachments::address(file)) { (file.name) } " (" (file.mime_type) ", " (file.bytes) " bytes)" }
                IncomingFile::Unavailable { name, reason } => { "File that could not be had: " (name) " (" (reason) ")" }
            }
        }
    }
}

fn answer(turn: &Transcript) -> Markup {
    let conclusion = &turn.conclusion;
    let failed = matches!(conclusion.result, TurnResult::Failure { .. });
    html! {
        li.bot.failed[failed] {
            (conclusion.result.text())
            @for attachment in conclusion.result.attachments() { p.small { "File: " (attachment.url) } }
            @for button in conclusion.result.buttons() { " " span.tag { (button.label) } }
            p.small {
                @match &conclusion.result {
                    TurnResult::Reply { .. } => {}
                    TurnResult::NoReply => { "The webhook had nothing to say. " }
                    TurnResult::Failure { class, .. } => { span.tag.bad { "failed: " (class) } " " }
                    TurnResult::Reset { .. } => { "The conversation starts afresh. " }
                }
                (webhook(conclusion)) (ago(turn.concluded_at))
                @if let Receipt::Undeliverable { class } = &turn.receipt {
                    " " span.tag.bad { "not delivered: " (class) }
                }
            }
        }
    }
}

fn webhook(conclusion: &Conclusion) -> Markup {
    html! {
        @if let Some(integration) = &conclusion.integration {
            (integration) ", " (conclusion.webhook_millis) " ms"
            @if conclusion.attempts > 1 { ", " (conclusion.attempts) " attempts" }
            " · "
        }
    }
}
