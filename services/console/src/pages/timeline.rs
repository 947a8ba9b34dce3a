//! A message's story as a line through the stages.

use maud::{Markup, html};
use operations::trace::{Step, StepEvent, Trace};
use proto_schemas::context::TurnResult;
use proto_schemas::dead_letter::Stage;
use proto_schemas::transcript::Receipt;

/// The stages that every message meets; files are brought in only where there are some.
const ALWAYS: [Stage; 4] = [
    Stage::Ingress,
    Stage::ContextBuilder,
    Stage::WebhookCaller,
    Stage::Egress,
];

/// The steps so far, and the stages that are still to come.
pub(super) fn timeline(trace: &Trace) -> Markup {
    html! {
        ol.timeline aria-label="What happened at each stage" {
            @for step in &trace.steps { (step_line(trace, step)) }
            @if !trace.is_finished { @for stage in to_come(trace) { (waiting_line(stage)) } }
        }
    }
}

/// Those behind the last one of which something is told.
fn to_come(trace: &Trace) -> impl Iterator<Item = Stage> {
    let reached = trace.steps.iter().filter_map(|step| step.stage).max();
    ALWAYS.into_iter().filter(move |stage| Some(*stage) > reached)
}

fn step_line(trace: &Trace, step: &Step) -> Markup {
    let look = look(&step.event);
    html! {
        li.done[look == Look::Done].now[look == Look::Now].bad[look == Look::Bad] {
            span.when {
                @if let Some(at) = step.at { "+" (at.since(trace.accepted_at).as_millis()) " ms" }
            }
            div {
                p { span.tag.good[look == Look::Done].warn[look == Look::Now].bad[look == Look::Bad] {
                    (step.stage.map_or("now", Stage::as_str)) } }
                p { (step.event) }
                @if let StepEvent::GaveUp { dead_letter, .. } = &step.event {
                    p { a href={ "/dead-letters/" (dead_letter) } { "The dead letter" } }
                }
            }
        }
    }
}

fn waiting_line(stage: Stage) -> Markup {
    html! { li { span.when {} div { p { span.tag { (stage.as_str()) } } p.small { "not yet" } } } }
}

/// How a step stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Done,
    Now,
    Bad,
}

fn look(event: &StepEvent) -> Look {
    match event {
        StepEvent::Accepted { .. } | StepEvent::FilesBroughtIn { .. } | StepEvent::Built { .. } => Look::Done,
        StepEvent::BeingAsked { .. } | StepEvent::Committed | StepEvent::Waits => Look::Now,
        StepEvent::Asked { result, .. } => look_of_result(result, Look::Done),
        StepEvent::OnItsWayOut { result } => look_of_result(result, Look::Now),
        StepEvent::Concluded { receipt, .. } => match receipt {
            Receipt::Sent { .. } | Receipt::Nothing => Look::Done,
            Receipt::Undeliverable { .. } => Look::Bad,
        },
        StepEvent::GaveUp { .. } => Look::Bad,
    }
}

fn look_of_result(result: &TurnResult, well: Look) -> Look {
    match result {
        TurnResult::Failure { .. } => Look::Bad,
        TurnResult::Reply { .. } | TurnResult::NoReply | TurnResult::Reset { .. } => well,
    }
}
