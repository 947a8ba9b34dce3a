//! What came of a test: the request, how long its parts took, and the answer or what to look at.

use maud::{Markup, html};
use proto_schemas::content::{Attachment, Button};
use proto_schemas::integration_test::{IntegrationTestReport, Latency, ShownRequest, TestOutcome};
use serde_json::{Map, Value};

/// How wide the bar of all parts is, in units of its own.
const BAR_WIDTH: u64 = 1000;

/// A part of a call.
struct Part {
    name: &'static str,
    micros: Option<u64>,
    /// Whether it is the webhook's own time, and not that of the way to it.
    is_webhook: bool,
}

/// The whole report.
pub(super) fn shown(report: &IntegrationTestReport) -> Markup {
    html! {
        section aria-label="What came of the test" {
            (outcome(&report.outcome))
            @if let Some(latency) = &report.latency { (split(latency)) }
            @if let Some(request) = &report.request { (sent(request)) }
        }
    }
}

fn outcome(outcome: &TestOutcome) -> Markup {
    match outcome {
        TestOutcome::Preview => {
            html! { div.notice role="status" { p { "Nothing was sent. This is the request:" } } }
        }
        TestOutcome::Reply {
            status,
            content,
            attachments,
            buttons,
            metadata,
        } => html! {
            div.notice.good role="status" { p { strong { "A reply" } " with HTTP " (status) } }
            (reply(content, attachments, buttons, metadata.as_ref()))
        },
        TestOutcome::NoReply { status } => html! {
            div.notice.good role="status" { p { strong { "Nothing to say" } " with HTTP " (status) } }
        },
        TestOutcome::Failure {
            class, detail, hint, ..
        } => html! {
            div.notice.bad role="alert" {
                p { strong { "Failed (" (class) ")" } ": " (detail) }
                p { (hint) }
            }
        },
        TestOutcome::Refused { detail, .. } => html! { div.notice.bad role="alert" { p { (detail) } } },
    }
}

fn reply(
    content: &str,
    attachments: &[Attachment],
    buttons: &[Button],
    metadata: Option<&Map<String, Value>>,
) -> Markup {
    html! {
        ol.talk { li.bot {
            (content)
            @for attachment in attachments {
                p.small { "File: " (attachment.filename.as_deref().unwrap_or("without a name")) " at " (attachment.url) }
            }
            @for button in buttons {
                p.small { span.tag { (button.label) } @match &button.url { Some(url) => { " opens " (url) } None => { " says " (button.said()) } } }
            }
        } }
        @if let Some(fields) = metadata { h3 { "Metadata" } pre { (pretty(&Value::Object(fields.clone()))) } }
    }
}

fn sent(request: &ShownRequest) -> Markup {
    html! {
        h3 { "The request" }
        p.small { "Secrets, signatures and the values of the query are left out." }
        pre {
            (request.method) " " (request.url) "\n"
            @for (name, value) in &request.headers { (name) ": " (value) "\n" }
            "\n" (pretty(&request.body))
        }
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

fn split(latency: &Latency) -> Markup {
    let parts = parts(latency);
    html! {
        h3 { "How long it took" }
        (bar(&parts, latency.total_micros))
        dl.facts {
            @for part in &parts {
                dt { (part.name) } dd { @if let Some(micros) = part.micros { (millis(micros)) } @else { "–" } }
            }
            dt { "In all" } dd { strong { (millis(latency.total_micros)) } }
        }
    }
}

fn parts(latency: &Latency) -> [Part; 5] {
    let way = |name, micros| Part {
        name,
        micros,
        is_webhook: false,
    };
    let before = [
        latency.dns_micros,
        latency.connect_micros,
        latency.tls_micros,
        latency.first_byte_micros,
    ];
    let before: u64 = before.into_iter().flatten().sum();
    // Without a head there is no body either.
    let body = latency
        .first_byte_micros
        .map(|_| latency.total_micros.saturating_sub(before));
    [
        way("DNS", latency.dns_micros),
        way("Connecting", latency.connect_micros),
        way("TLS", latency.tls_micros),
        Part {
            name: "Sending, and the webhook's thinking",
            micros: latency.first_byte_micros,
            is_webhook: true,
        },
        way("The rest of the answer", body),
    ]
}

/// The parts one behind the other; who cannot see it reads the numbers below.
fn bar(parts: &[Part], total_micros: u64) -> Markup {
    let units = |micros: u64| micros.saturating_mul(BAR_WIDTH) / total_micros.max(1);
    let mut began = 0;
    let bars = parts.iter().filter_map(|part| {
        let from = began;
        began += part.micros?;
        let class = if part.is_webhook { "work" } else { "wait" };
        // Each ends a unit before the next, so that one sees where.
        Some((
            class,
            units(from),
            (units(began) - units(from)).saturating_sub(1).max(1),
        ))
    });
    html! {
        svg.bars viewBox={ "0 0 " (BAR_WIDTH) " 24" } preserveAspectRatio="none" aria-hidden="true" {
            @for (class, from, width) in bars { rect class=(class) x=(from) y="0" width=(width) height="24" {} }
        }
    }
}

fn millis(micros: u64) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_call_stand_one_behind_the_other_and_make_up_the_whole() {
        let latency = Latency {
            dns_micros: Some(100),
            connect_micros: Some(200),
            tls_micros: None,
            first_byte_micros: Some(600),
            total_micros: 1000,
        };
        let parts = parts(&latency);
        let micros: Vec<_> = parts.iter().map(|part| part.micros).collect();
        assert_eq!(micros, [Some(100), Some(200), None, Some(600), Some(100)]);
        let bar = bar(&parts, latency.total_micros).into_string();
        for rect in [
            r#"class="wait" x="100" y="0" width="199""#,
            r#"class="work" x="300" y="0" width="599""#,
            r#"class="wait" x="900" y="0" width="99""#,
        ] {
            assert!(bar.contains(rect), "{bar}");
        }
    }

    #[test]
    fn a_call_that_got_no_answer_has_only_the_parts_that_took_place() {
        let latency = Latency {
            total_micros: 0,
            ..Latency::default()
        };
        let parts = parts(&latency);
        assert!(parts.iter().all(|part| part.micros.is_none()));
        assert!(!bar(&parts, 0).into_string().contains("rect"));
        assert_eq!(millis(1_234_567), "1234.5 ms");
    }
}
