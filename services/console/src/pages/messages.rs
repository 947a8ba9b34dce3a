//! A message: what became of it.

use std::sync::Arc;

use maud::{Markup, html};
use operations::trace::{self, Trace};
use proto_schemas::ids::MessageId;

use super::format::{ago, exactly};
use super::page::{Page, Reply, Visit};
use super::timeline::timeline;
use crate::problem::Problem;
use crate::web::Desk;

pub(super) fn pages() -> Vec<Page> {
    vec![Page::new("/messages/{id}", |desk, visit| {
        Box::pin(show(desk, visit))
    })]
}

async fn show(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let trace = found(&desk, visit.name("id")).await?;
    Ok(Reply::page("/conversations", "Message", shown(&trace)))
}

/// The story of a message.
pub(super) async fn found(desk: &Desk, id: &str) -> Result<Trace, Problem> {
    let nothing =
        || Problem::NotFound("the inbox has no such message: it is unknown, or older than it keeps");
    let id = MessageId::new(id).map_err(|_| nothing())?;
    trace::of(&desk.bus, &id).await?.ok_or_else(nothing)
}

fn shown(trace: &Trace) -> Markup {
    html! {
        dl.facts {
            dt { "Accepted" } dd { (ago(trace.accepted_at)) " (" (exactly(trace.accepted_at)) ")" }
            dt { "Conversation" } dd { a.mono href={ "/conversations/" (trace.conversation) } { (trace.conversation) } }
            dt { "Bot" } dd { (trace.bot) }
            dt { "Connection" } dd { (trace.connection) " (" (trace.channel.as_str()) ")" }
            dt { "Identifier" } dd { code { (trace.message) } }
        }
        ol.talk aria-label="What was said" {
            li.user { (trace.question) }
            @if let Some(reply) = &trace.reply { li.bot { (reply) } }
        }
        h2 { "What happened at each stage" }
        (timeline(trace))
    }
}
