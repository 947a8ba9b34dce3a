//! Bots: who answers, with which context, where, and how the arms of a split do.

use std::sync::Arc;
use std::time::Duration;

use maud::{Markup, html};
use operations::Record;
use operations::ab::{self, Counted, Line};
use registry::{Bot, Connection, Integration, Overlap, Snapshot, Split, SplitBy};
use serde_json::{Value, json};

use super::page::{Page, Reply, Visit};
use super::records::{self, Field, Kind, Places, address, link};
use crate::problem::Problem;
use crate::web::Desk;

/// How many turns, of all bots, are looked at when nobody asks for a time: a moment's work.
const GLANCE_TURNS: usize = 5_000;
/// How many when somebody does: some seconds of work.
const MOST_TURNS: usize = 50_000;
/// The times that are offered, in hours.
const TIMES: [(u64, &str); 3] = [(1, "the last hour"), (24, "the last day"), (168, "the last week")];

impl Kind for Bot {
    const PLACES: Places = Places {
        list: "/bots",
        new: "/new-bot",
        check_new: "/new-bot/check",
        edit: "/bots/{id}/edit",
        check: "/bots/{id}/check",
        history: "/bots/{id}/history",
        roll_back: "/bots/{id}/rollback",
        delete: "/bots/{id}/delete",
        put_action: "bots.put",
        roll_back_action: "bots.rollback",
        delete_action: "bots.delete",
    };
    const NAME: &'static str = "bot";
    const COLUMNS: [&'static str; 2] = ["Name", "Answered by"];

    fn cells(&self) -> [Markup; 2] {
        [html! { (self.name) }, answered_by(self)]
    }

    fn fields(_: &Visit, snapshot: &Snapshot) -> Vec<Field> {
        vec![
            Field::required("id", "Identifier", records::IDENTIFIER),
            Field::required("name", "Name", "The name that the webhook is told."),
            Field::required("integration", "Integration", "The webhook that answers.")
                .of::<Integration>(snapshot),
            Field::optional(
                "fallback",
                "Fallback",
                "The webhook that is asked when the integration is given up.",
            )
            .of::<Integration>(snapshot),
            Field::optional(
                "system_prompt",
                "System prompt",
                "Always told to the webhook first. A long one is easier to write as text.",
            ),
        ]
    }

    fn composed(visit: &Visit) -> Value {
        let field = |name| visit.field(name).trim();
        let mut bot = json!({"id": field("id"), "name": field("name"), "integration": field("integration")});
        if !field("fallback").is_empty() {
            bot["fallback"] = field("fallback").into();
        }
        if !field("system_prompt").is_empty() {
            bot["context"] = json!({"system_prompt": field("system_prompt")});
        }
        bot
    }
}

pub(super) fn pages() -> Vec<Page> {
    let mut pages = records::pages::<Bot>();
    pages.push(Page::new("/bots/{id}", |desk, visit| Box::pin(show(desk, visit))));
    pages
}

fn answered_by(bot: &Bot) -> Markup {
    html! {
        @if let Some(integration) = &bot.integration { (link::<Integration>(integration.as_str())) }
        @if let Some(split) = &bot.split {
            @for (number, arm) in split.arms.iter().enumerate() {
                @if number > 0 { ", " }
                (link::<Integration>(arm.integration.as_str())) " (" (arm.weight) ")"
            }
        }
    }
}

async fn show(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let stored = records::found::<Bot>(&desk, &visit).await?;
    let body = match &stored.record {
        Some(bot) => {
            let arms = match &bot.split {
                Some(split) => arms(&desk, &visit, bot, split).await?,
                None => html! {},
            };
            html! { (facts(bot)) (connections(&desk.registry.current(), bot)) (arms) }
        }
        None => html! {},
    };
    let title = format!("Bot {}", stored.id);
    Ok(Reply::page(
        Bot::PLACES.list,
        title,
        records::framed(&visit, &stored, &body),
    ))
}

fn facts(bot: &Bot) -> Markup {
    let context = &bot.context;
    html! {
        dl.facts {
            dt { "Name" } dd { (bot.name) }
            dt { "Answered by" } dd {
                (answered_by(bot))
                @if let Some(split) = &bot.split { ", split by " (split_by(split)) }
            }
            @if let Some(fallback) = &bot.fallback {
                dt { "Fallback" } dd { (link::<Integration>(fallback.as_str())) }
            }
            dt { "Context" } dd {
                "at most " (context.max_messages) " messages and " (context.max_bytes) " bytes before the question"
                @if let Some(age) = context.max_age { ", none older than " (age) }
            }
            @if let Some(prompt) = &context.system_prompt { dt { "System prompt" } dd { pre { (prompt) } } }
            dt { "Messages that wait" } dd {
                @match bot.overlap {
                    Overlap::Queue => "each gets an answer of its own, in order",
                    Overlap::Coalesce => "all that wait are answered together",
                }
            }
            dt { "When it cannot answer" } dd { (bot.error_message) }
        }
    }
}

fn split_by(split: &Split) -> &'static str {
    match split.by {
        SplitBy::Conversation => "conversation",
        SplitBy::Message => "message",
    }
}

fn connections(snapshot: &Snapshot, bot: &Bot) -> Markup {
    let keys = Bot::users(bot.id.as_str(), snapshot);
    let ids = keys.iter().filter_map(|key| key.split_once('.'));
    html! {
        h2 { "Connections" }
        @if keys.is_empty() { p { "None yet: nobody can write to it." } }
        ul { @for (_, id) in ids { li { (link::<Connection>(id)) } } }
    }
}

async fn arms(desk: &Desk, visit: &Visit, bot: &Bot, split: &Split) -> Result<Markup, Problem> {
    let asked = visit.asked("hours").and_then(|hours| hours.parse().ok());
    let chosen = TIMES.into_iter().find(|(hours, _)| asked == Some(*hours));
    let (hours, most) = chosen.map_or((TIMES[0].0, GLANCE_TURNS), |(hours, _)| (hours, MOST_TURNS));
    let since = Duration::from_secs(60 * 60 * hours);
    let counted = ab::count(&desk.bus, &bot.id, &split.arms, since, most).await?;
    Ok(html! {
        h2 { "How the arms do" }
        div.actions {
            @for (time, name) in TIMES {
                a href={ (address::<Bot>(bot.id.as_str())) "?hours=" (time) } aria-current=[(time == hours).then_some("true")] { (name) }
            }
        }
        (counts(&counted))
    })
}

fn counts(Counted { report, is_whole }: &Counted) -> Markup {
    const COLUMNS: [&str; 8] = [
        "Turns",
        "Answered",
        "No reply",
        "Failed",
        "By fallback",
        "p50 ms",
        "p95 ms",
        "p99 ms",
    ];
    html! {
        @if !is_whole { p { "There are more turns in this time: these are the oldest ones." } }
        div.wide {
            table.stacked {
                thead { tr { th { "Integration" } th.number { "Weight" } @for column in COLUMNS { th.number { (column) } } } }
                tbody {
                    @for line in &report.arms { (counted(line, &COLUMNS)) }
                    @for line in &report.outside { (counted(line, &COLUMNS)) }
                }
            }
        }
        @if !report.outside.is_empty() { p.small { "Lines without a weight are of turns that had another split, or none." } }
    }
}

fn counted(line: &Line, columns: &[&str; 8]) -> Markup {
    let percentile = |of: fn(&ab::Percentiles) -> u64| line.webhook_millis.as_ref().map(of);
    let numbers = [
        Some(line.turns),
        Some(line.answered),
        Some(line.no_reply),
        Some(line.failed),
        line.by_fallback,
        percentile(|millis| millis.p50),
        percentile(|millis| millis.p95),
        percentile(|millis| millis.p99),
    ];
    html! {
        tr {
            td data-label="Integration" { (link::<Integration>(line.integration.as_str())) }
            td.number data-label="Weight" { @if let Some(weight) = line.weight { (weight) } @else { "–" } }
            @for (column, number) in columns.iter().zip(numbers) {
                td.number data-label=(column) { @if let Some(number) = number { (number) } @else { "–" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_is_not_of_all_turns_says_so() {
        let counted = |is_whole| {
            let (arms, outside) = (Vec::new(), Vec::new());
            let report = ab::Report { arms, outside };
            counts(&Counted { report, is_whole }).into_string()
        };
        assert!(counted(false).contains("There are more turns"));
        assert!(!counted(true).contains("There are more turns"));
    }
}
