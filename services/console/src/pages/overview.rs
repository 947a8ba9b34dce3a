//! The first page: how the pipeline does just now, and did in the last minutes.

use std::future::ready;
use std::sync::Arc;

use maud::{Markup, html};
use operations::breakers::Breaker;
use operations::overview::Overview;
use proto_schemas::dead_letter::Stage;

use super::chart;
use super::format::{ago, rough};
use super::layout::{done, seal};
use super::page::{Page, Reply, Visit};
use crate::breakers;
use crate::problem::Problem;
use crate::vitals::{self, PERIOD};
use crate::web::Desk;

const SECTION: &str = "/overview";

pub(super) fn pages() -> Vec<Page> {
    vec![
        Page::new("/overview", |desk, visit| {
            Box::pin(ready(Ok(show(&desk, &visit))))
        }),
        Page::form("/breakers/{id}/close", "breakers.close", |desk, visit| {
            Box::pin(close(desk, visit))
        }),
    ]
}

fn show(desk: &Desk, visit: &Visit) -> Reply {
    let looks = desk.vitals.looks();
    let body = html! {
        @if visit.asked("done") == Some("close") { (done("The webhook is asked again.")) }
        div #vitals data-every=(PERIOD.as_millis()) {
            @match looks.last() {
                Some(now) => (vitals_of(&looks, now, visit)),
                None => p { "The broker has not been looked at yet. This takes a moment after the start." },
            }
        }
    };
    Reply::page(SECTION, "Overview", body)
}

fn vitals_of(looks: &[Overview], now: &Overview, visit: &Visit) -> Markup {
    html! {
        div.grid {
            (turns(looks))
            (age(looks))
            (dead_letters(looks, now))
        }
        h2 { "Stages" }
        (stages(looks, now))
        h2 { "Webhooks that are left in peace" }
        (circuit_breakers(now, visit))
        p.small { "Seen " (ago(now.at)) ". The charts show the last ten minutes, as far as this replica of the console has run." }
    }
}

fn panel(name: &str, figure: &str, chart: &Markup) -> Markup {
    html! { section.panel { h2 { (name) } p.figure { (figure) } (chart) } }
}

fn turns(looks: &[Overview]) -> Markup {
    let rates = vitals::turns_per_second(looks);
    let now = rates.last().copied().unwrap_or_default();
    let most = rates.iter().copied().fold(0.0, f64::max);
    let label = format!("Turns a second: now {now:.1}, at most {most:.1}");
    panel(
        "Turns a second",
        &format!("{now:.1}"),
        &chart::line(&rates, &label),
    )
}

fn age(looks: &[Overview]) -> Markup {
    let ages = vitals::ages(looks);
    let now = std::time::Duration::from_secs_f64(ages.last().copied().unwrap_or_default());
    let figure = if now.is_zero() {
        "nothing waits".to_owned()
    } else {
        rough(now)
    };
    let label = format!("Age of the oldest work: now {figure}");
    panel("Oldest work", &figure, &chart::line(&ages, &label))
}

fn dead_letters(looks: &[Overview], now: &Overview) -> Markup {
    let amounts: Vec<f64> = looks
        .iter()
        .map(|look| vitals::number(look.dead_letters))
        .collect();
    let label = format!("Dead letters: now {}", now.dead_letters);
    html! {
        section.panel {
            h2 { a href="/dead-letters" { "Dead letters" } }
            p.figure { (now.dead_letters) }
            (chart::line(&amounts, &label))
        }
    }
}

fn stages(looks: &[Overview], now: &Overview) -> Markup {
    html! {
        div.wide {
            table.stacked {
                thead {
                    tr { th { "Stage" } th.number { "Waiting" } th.number { "In work" } th.number { "Tried again" }
                        th.number { "Oldest" } th { "Last ten minutes" } }
                }
                tbody { @for stage in Stage::ALL.into_iter().filter(|stage| has_work(now, *stage)) { (stage_line(looks, now, stage)) } }
            }
        }
    }
}

/// ingress takes what comes and has no work that waits.
fn has_work(now: &Overview, stage: Stage) -> bool {
    now.waiting.iter().any(|waiting| waiting.stage == stage)
}

fn stage_line(looks: &[Overview], now: &Overview, stage: Stage) -> Markup {
    let of_stage = || now.waiting.iter().filter(|waiting| waiting.stage == stage);
    let values = vitals::backlog(looks, stage);
    let name = stage.as_str();
    let label = format!("{name}: {} waiting or in work", vitals::backlog_of(now, stage));
    html! {
        tr {
            td data-label="Stage" { (name) }
            td.number data-label="Waiting" { (of_stage().map(|waiting| waiting.pending).sum::<u64>()) }
            td.number data-label="In work" { (of_stage().map(|waiting| waiting.in_work).sum::<u64>()) }
            td.number data-label="Tried again" { (of_stage().map(|waiting| waiting.redelivered).sum::<u64>()) }
            td.number data-label="Oldest" { @match vitals::age_of(now, stage) { Some(age) => (rough(age)), None => "none" } }
            td { (chart::line(&values, &label)) }
        }
    }
}

fn circuit_breakers(now: &Overview, visit: &Visit) -> Markup {
    html! {
        @if now.breakers.is_empty() {
            p { "None: every webhook is asked." }
        } @else {
            ul { @for breaker in &now.breakers { li { (open_breaker(breaker, visit)) } } }
            @if now.has_more_breakers { p { "There may be more of them." } }
        }
    }
}

/// A webhook that is left in peace, and how to have it asked again.
pub(super) fn open_breaker(breaker: &Breaker, visit: &Visit) -> Markup {
    html! {
        (breaker)
        @if visit.is_operator() {
            form method="post" action={ "/breakers/" (breaker.integration) "/close" } {
                (seal(&visit.session))
                button.quiet { "Ask " (breaker.integration) " again now" }
            }
        }
    }
}

async fn close(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    breakers::closed(&desk, visit.name("id")).await?;
    Ok(Reply::elsewhere("/overview?done=close"))
}
