//! Integrations: their settings, who uses them, and Test Integration.

mod report;

use std::sync::Arc;

use maud::{Markup, html};
use operations::{Record, Stored, breakers};
use proto_schemas::integration_test::{IntegrationTestReport, MAX_MESSAGE_BYTES};
use registry::{Bot, Format, HeaderValue, Integration, IntegrationLimits, SecretRef, Snapshot};
use serde_json::{Value, json};

use super::layout::seal;
use super::overview;
use super::page::{Page, Reply, Visit};
use super::problem::told;
use super::records::{self, Field, Kind, Places, address, link};
use crate::problem::Problem;
use crate::test_integration;
use crate::web::Desk;

impl Kind for Integration {
    const PLACES: Places = Places {
        list: "/integrations",
        new: "/new-integration",
        check_new: "/new-integration/check",
        edit: "/integrations/{id}/edit",
        check: "/integrations/{id}/check",
        history: "/integrations/{id}/history",
        roll_back: "/integrations/{id}/rollback",
        delete: "/integrations/{id}/delete",
        put_action: "integrations.put",
        roll_back_action: "integrations.rollback",
        delete_action: "integrations.delete",
    };
    const NAME: &'static str = "integration";
    const COLUMNS: [&'static str; 2] = ["URL", "Speaks"];

    fn cells(&self) -> [Markup; 2] {
        [html! { (self.url) }, html! { (speaks(&self.format)) }]
    }

    fn fields(_: &Visit, _: &Snapshot) -> Vec<Field> {
        vec![
            Field::required("id", "Identifier", records::IDENTIFIER),
            Field::required("url", "URL", "Where the webhook is called, by HTTPS."),
            Field::optional(
                "signing_secret",
                "Signing secret",
                "Signs the requests. A reference, env:NAME or file:PATH, to whsec_ and base64; never the secret itself.",
            ),
            Field::optional(
                "timeout",
                "Timeout",
                "How long a call may take, as 30s. 1s to 10m; 30s when empty.",
            ),
        ]
    }

    fn composed(visit: &Visit) -> Value {
        let mut integration = json!({"id": visit.field("id").trim(), "url": visit.field("url").trim()});
        for name in ["signing_secret", "timeout"] {
            let value = visit.field(name).trim();
            if !value.is_empty() {
                integration[name] = value.into();
            }
        }
        integration
    }
}

pub(super) fn pages() -> Vec<Page> {
    let mut pages = records::pages::<Integration>();
    pages.extend([
        Page::new("/integrations/{id}", |desk, visit| Box::pin(show(desk, visit))),
        Page::question("/integrations/{id}/preview", |desk, visit| {
            Box::pin(test(desk, visit, true))
        }),
        Page::form("/integrations/{id}/test", "integrations.test", |desk, visit| {
            Box::pin(test(desk, visit, false))
        }),
    ]);
    pages
}

fn speaks(format: &Format) -> &'static str {
    match format {
        Format::Platform => "the platform's payload",
        Format::Openai(_) => "OpenAI's chat completions",
        Format::Anthropic(_) => "Anthropic's messages",
    }
}

async fn show(desk: Arc<Desk>, visit: Visit) -> Result<Reply, Problem> {
    let stored = records::found::<Integration>(&desk, &visit).await?;
    Ok(Reply::page(
        Integration::PLACES.list,
        title(&stored),
        page(&desk, &visit, &stored, &html! {}).await,
    ))
}

/// Has the test made, or only the request shown, and shows what came of it on the page of the integration.
async fn test(desk: Arc<Desk>, visit: Visit, preview_only: bool) -> Result<Reply, Problem> {
    let stored = records::found::<Integration>(&desk, &visit).await?;
    let message = visit.text("message");
    let made: Result<IntegrationTestReport, Problem> =
        test_integration::made(&desk, &stored.id, message, preview_only).await;
    let section = Integration::PLACES.list;
    Ok(match made {
        Ok(made) => {
            let body = page(&desk, &visit, &stored, &report::shown(&made)).await;
            Reply::page(section, title(&stored), body)
        }
        Err(why) => Reply::Again {
            title: title(&stored),
            section,
            body: page(&desk, &visit, &stored, &told(&why)).await,
            why,
        },
    })
}

fn title(stored: &Stored<Integration>) -> String {
    format!("Integration {}", stored.id)
}

async fn page(desk: &Desk, visit: &Visit, stored: &Stored<Integration>, result: &Markup) -> Markup {
    let snapshot = desk.registry.current();
    let body = match &stored.record {
        Some(integration) => html! {
            (breaker(desk, visit, integration, stored.revision).await)
            (facts(integration))
            (users(&snapshot, &stored.id))
            (test_form(visit, &stored.id))
            (result)
        },
        None => html! {},
    };
    records::framed(visit, stored, &body)
}

/// Whether its webhook is left in peace. That this cannot be told takes nothing else from the page.
async fn breaker(desk: &Desk, visit: &Visit, integration: &Integration, settings: u64) -> Markup {
    match breakers::of(&desk.bus, &integration.id, settings).await {
        Ok(Some(breaker)) => html! { div.notice.bad { (overview::open_breaker(&breaker, visit)) } },
        Ok(None) => html! {},
        Err(error) => {
            html! { div.notice.warn { p { "Whether its webhook is left in peace is not known: " (error) "." } } }
        }
    }
}

fn facts(integration: &Integration) -> Markup {
    let budget = &integration.retry;
    html! {
        dl.facts {
            dt { "URL" } dd { code { (integration.url) } }
            dt { "Speaks" } dd { (speaks(&integration.format)) }
            dt { "Timeout" } dd { (integration.timeout) }
            dt { "Signing secret" } dd { (reference(integration.signing_secret.as_ref())) }
            @if integration.previous_signing_secret.is_some() {
                dt { "Previous secret" } dd { (reference(integration.previous_signing_secret.as_ref())) }
            }
            @if integration.client_certificate.is_some() {
                dt { "Client certificate" } dd { (reference(integration.client_certificate.as_ref())) }
            }
            @for (name, value) in &integration.headers { dt { code { (name) } } dd { (header(value)) } }
            dt { "Limits" } dd { (limits(&integration.limits)) }
            dt { "Given up" } dd { "after " (budget.attempts) " attempts and " (budget.max_age) }
        }
    }
}

fn reference(secret: Option<&SecretRef>) -> Markup {
    html! { @if let Some(secret) = secret { code { (secret) } } @else { "none" } }
}

fn header(value: &HeaderValue) -> Markup {
    match value {
        HeaderValue::Plain(text) => html! { code { (text) } },
        HeaderValue::Secret { prefix, secret } => {
            html! { code { (prefix) } " and the secret " code { (secret) } }
        }
    }
}

fn limits(limits: &IntegrationLimits) -> Markup {
    html! {
        @if let Some(rate) = limits.per_second { (rate) " calls a second, " }
        @if let Some(rate) = limits.per_minute { (rate) " calls a minute, " }
        @if let Some(burst) = limits.burst { (burst) " at once after a pause, " }
        (limits.concurrency) " in flight in each replica"
        @if !limits.breaker.enabled { ", no circuit breaker" }
    }
}

fn users(snapshot: &Snapshot, id: &str) -> Markup {
    let keys = Integration::users(id, snapshot);
    let ids = keys.iter().filter_map(|key| key.split_once('.'));
    html! {
        h2 { "Who uses it" }
        @if keys.is_empty() { p { "No bot does." } }
        ul { @for (_, id) in ids { li { (link::<Bot>(id)) } } }
    }
}

fn test_form(visit: &Visit, id: &str) -> Markup {
    let address = address::<Integration>(id);
    html! {
        h2 #test { "Test Integration" }
        form method="post" action={ (address) "/preview#test" } {
            (seal(&visit.session))
            label for="message" { "What the user of a sample conversation says" }
            textarea.said #message name="message" required maxlength=(MAX_MESSAGE_BYTES) { "\n" (visit.field("message")) }
            p.small { "A test calls the webhook once, as a turn would, and counts towards its limits. Nothing of it is stored." }
            div.actions {
                button.quiet { "Show the request" }
                @if visit.is_operator() { button formaction={ (address) "/test#test" } { "Send the test" } }
            }
        }
    }
}
