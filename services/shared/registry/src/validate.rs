//! The rules that types cannot say. Every broken rule is reported, each with its path.

mod format;
mod gateways;
mod secrets;
mod webhook;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Bot, Breaker, ConnectionChannel, DiscordConnection, HeaderValue, Integration, Manifest};

pub use gateways::{check_gateways, reads_gateways};
pub use secrets::AllowedSecrets;

/// Headers that an integration may not set: they belong to the transport or to us.
const FORBIDDEN_HEADERS: [&str; 9] = [
    "host",
    "connection",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "keep-alive",
    "user-agent",
];
/// Their families. `content-type` is ours: the guide's examples list it, so setting it to JSON is harmless.
const FORBIDDEN_PREFIXES: [&str; 3] = ["content-", "proxy-", "webhook-"];
const MAX_HEADERS: usize = 32;
const MAX_HEADER_BYTES: usize = 4096;
const MAX_MESSAGE_BYTES: usize = 4096;
const MAX_PROMPT_BYTES: usize = 32 * 1024;
/// An Ed25519 key has 32 bytes.
const DISCORD_KEY_DIGITS: usize = 64;
/// A dead letter holds every attempt, at least one in 48 s: some 230 of them.
const MAX_RETRY_AGE: Duration = Duration::from_secs(3 * 60 * 60);

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where, as `integrations.echo.timeout`.
    pub path: String,
    /// What is wrong, with the bound.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Checks a manifest by itself: bounds, forbidden headers, duplicates. `known_bots` and `known_integrations`
/// are stored already and may be referred to.
pub fn check_manifest(
    manifest: &Manifest,
    known_bots: &BTreeSet<String>,
    known_integrations: &BTreeSet<String>,
) -> Vec<Problem> {
    let mut report = Report::default();
    let mut bots = known_bots.clone();
    bots.extend(manifest.bots.iter().map(|bot| bot.id.to_string()));
    let mut integrations = known_integrations.clone();
    integrations.extend(
        manifest
            .integrations
            .iter()
            .map(|integration| integration.id.to_string()),
    );

    report.unique("bots", manifest.bots.iter().map(|bot| bot.id.as_str()));
    report.unique(
        "integrations",
        manifest
            .integrations
            .iter()
            .map(|integration| integration.id.as_str()),
    );
    report.unique(
        "connections",
        manifest
            .connections
            .iter()
            .map(|connection| connection.id.as_str()),
    );
    for bot in &manifest.bots {
        report.bot(bot, &integrations);
    }
    for integration in &manifest.integrations {
        report.integration(integration);
    }
    for connection in &manifest.connections {
        let path = format!("connections.{}", connection.id);
        if !bots.contains(connection.bot.as_str()) {
            report.add(
                format!("{path}.bot"),
                format!("there is no bot {:?}", connection.bot.as_str()),
            );
        }
        report.channel(&path, &connection.channel);
    }
    report.gateways(&manifest.connections, BTreeSet::new());
    report.problems
}

#[derive(Default)]
struct Report {
    problems: Vec<Problem>,
}

impl Report {
    fn add(&mut self, path: String, message: String) {
        self.problems.push(Problem { path, message });
    }

    fn unique<'a>(&mut self, list: &str, ids: impl Iterator<Item = &'a str>) {
        let mut seen = BTreeSet::new();
        for id in ids {
            if !seen.insert(id) {
                self.add(format!("{list}.{id}"), "is listed twice".to_owned());
            }
        }
    }

    fn number(&mut self, path: String, value: u64, bounds: RangeInclusive<u64>) {
        if !bounds.contains(&value) {
            self.add(
                path,
                format!("{value} is not within {} to {}", bounds.start(), bounds.end()),
            );
        }
    }

    fn length(&mut self, path: String, text: &str, most: usize) {
        if text.len() > most {
            self.add(path, format!("{} bytes are more than {most}", text.len()));
        }
    }

    fn span(&mut self, path: String, value: Duration, bounds: RangeInclusive<Duration>) {
        if !bounds.contains(&value) {
            let show = humantime::format_duration;
            self.add(
                path,
                format!(
                    "{} is not within {} to {}",
                    show(value),
                    show(*bounds.start()),
                    show(*bounds.end())
                ),
            );
        }
    }

    fn bot(&mut self, bot: &Bot, integrations: &BTreeSet<String>) {
        let path = format!("bots.{}", bot.id);
        self.webhook(&path, bot, integrations);
        self.number(
            format!("{path}.context.max_messages"),
            bot.context.max_messages as u64,
            0..=200,
        );
        self.number(
            format!("{path}.context.max_bytes"),
            bot.context.max_bytes as u64,
            0..=256 * 1024,
        );
        if let Some(prompt) = &bot.context.system_prompt {
            self.length(format!("{path}.context.system_prompt"), prompt, MAX_PROMPT_BYTES);
        }
        self.length(format!("{path}.name"), &bot.name, 256);
        self.length(
            format!("{path}.error_message"),
            &bot.error_message,
            MAX_MESSAGE_BYTES,
        );
        self.length(
            format!("{path}.reset_message"),
            &bot.reset_message,
            MAX_MESSAGE_BYTES,
        );
        if bot.error_message.is_empty() {
            self.add(
                format!("{path}.error_message"),
                "must not be empty: a failure is told to the user".to_owned(),
            );
        }
    }

    fn integration(&mut self, integration: &Integration) {
        let path = format!("integrations.{}", integration.id);
        self.http_url(format!("{path}.url"), &integration.url);
        self.span(
            format!("{path}.timeout"),
            integration.timeout.0,
            Duration::from_secs(1)..=Duration::from_secs(600),
        );
        self.format(&path, &integration.format);
        self.headers(&path, integration);
        if integration.previous_signing_secret.is_some() && integration.signing_secret.is_none() {
            self.add(
                format!("{path}.previous_signing_secret"),
                "needs a signing_secret, which it is to be replaced by".to_owned(),
            );
        }
        let limits = &integration.limits;
        if let Some(rate) = limits.per_second {
            self.number(format!("{path}.limits.per_second"), rate.into(), 1..=100_000);
        }
        if let Some(rate) = limits.per_minute {
            self.number(format!("{path}.limits.per_minute"), rate.into(), 1..=100_000);
            if limits.per_second.is_some() {
                self.add(
                    format!("{path}.limits.per_minute"),
                    "is in place of per_second: only one may be given".to_owned(),
                );
            }
        }
        if let Some(burst) = limits.burst {
            self.number(format!("{path}.limits.burst"), burst.into(), 1..=100_000);
        }
        self.number(
            format!("{path}.limits.concurrency"),
            limits.concurrency.into(),
            1..=100_000,
        );
        self.breaker(&format!("{path}.limits.breaker"), &limits.breaker);
        self.number(
            format!("{path}.retry.attempts"),
            integration.retry.attempts.into(),
            1..=100,
        );
        self.span(
            format!("{path}.retry.max_age"),
            integration.retry.max_age.0,
            Duration::ZERO..=MAX_RETRY_AGE,
        );
    }

    fn breaker(&mut self, path: &str, breaker: &Breaker) {
        self.number(format!("{path}.calls"), breaker.calls.into(), 1..=10_000);
        self.number(format!("{path}.percent"), breaker.percent.into(), 1..=100);
        self.span(
            format!("{path}.pause"),
            breaker.pause.0,
            Duration::from_secs(1)..=Duration::from_secs(600),
        );
    }

    fn headers(&mut self, path: &str, integration: &Integration) {
        let count = integration.headers.len();
        if count > MAX_HEADERS {
            self.add(
                format!("{path}.headers"),
                format!("{count} headers are more than {MAX_HEADERS}"),
            );
        }
        for (name, value) in &integration.headers {
            let at = format!("{path}.headers.{name}");
            let lower = name.to_ascii_lowercase();
            let reserved = FORBIDDEN_HEADERS.contains(&lower.as_str())
                || FORBIDDEN_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
            if reserved && lower != "content-type" {
                self.add(at.clone(), "is a header that integrations may not set".to_owned());
            }
            if name.is_empty()
                || !name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            {
                self.add(at.clone(), "is not a header name".to_owned());
            }
            let visible = match value {
                HeaderValue::Plain(text) => text,
                HeaderValue::Secret { prefix, .. } => prefix,
            };
            self.length(at.clone(), visible, MAX_HEADER_BYTES);
            if visible.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
                self.add(at, "holds a control character".to_owned());
            }
        }
    }

    fn channel(&mut self, path: &str, channel: &ConnectionChannel) {
        match channel {
            ConnectionChannel::Http(http) => {
                let path = format!("{path}.channel.http");
                self.number(format!("{path}.secrets"), http.secrets.len() as u64, 1..=10);
                if let Some(url) = &http.callback_url {
                    self.http_url(format!("{path}.callback_url"), url);
                }
                if http.callback_url.is_some() != http.callback_secret.is_some() {
                    let rule = "must be there with `callback_url`, and only with it";
                    self.add(format!("{path}.callback_secret"), rule.to_owned());
                }
            }
            ConnectionChannel::Telegram(telegram) => {
                self.http_url(format!("{path}.channel.telegram.api_base"), &telegram.api_base);
            }
            ConnectionChannel::Slack(slack) => {
                self.http_url(format!("{path}.channel.slack.api_base"), &slack.api_base);
            }
            ConnectionChannel::Discord(discord) => self.discord(&format!("{path}.channel.discord"), discord),
        }
    }

    fn discord(&mut self, path: &str, discord: &DiscordConnection) {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(&discord.application_id) {
            self.add(format!("{path}.application_id"), "must be a number".to_owned());
        }
        let key = &discord.public_key;
        if key.len() != DISCORD_KEY_DIGITS || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.add(
                format!("{path}.public_key"),
                format!("must have {DISCORD_KEY_DIGITS} hexadecimal digits"),
            );
        }
        self.http_url(format!("{path}.api_base"), &discord.api_base);
        if let Some(gateway) = &discord.gateway {
            self.address(
                format!("{path}.gateway.url"),
                &gateway.url,
                ["wss", "ws"],
                "a WebSocket's",
            );
        }
    }

    /// Whether plain HTTP or a private address is allowed is for the outbound policy of the service that
    /// calls; here only what can never be called is refused.
    fn http_url(&mut self, path: String, url: &url::Url) {
        self.address(path, url, ["https", "http"], "an HTTP");
    }

    fn address(&mut self, path: String, url: &url::Url, schemes: [&str; 2], whose: &str) {
        if !schemes.contains(&url.scheme()) || url.host_str().is_none() {
            self.add(path.clone(), format!("{:?} is not {whose} address", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            self.add(
                path,
                "must not hold a password: use a header with a secret".to_owned(),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(json: serde_json::Value) -> Manifest {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_callback_has_an_address_and_what_signs_it_or_neither() {
        let problems = |http: serde_json::Value| {
            let bots = serde_json::json!([{"id": "b", "name": "B", "integration": "i"}]);
            let integrations = serde_json::json!([{"id": "i", "url": "https://a.example/"}]);
            let connection = serde_json::json!({"id": "c", "bot": "b", "channel": {"http": http}});
            let all =
                serde_json::json!({"bots": bots, "integrations": integrations, "connections": [connection]});
            let problems = check_manifest(&manifest(all), &BTreeSet::new(), &BTreeSet::new());
            problems
                .into_iter()
                .map(|problem| problem.path)
                .collect::<Vec<_>>()
        };
        let callback = "connections.c.channel.http.callback_secret";
        let (url, secret) = ("https://x/", "env:S");
        assert_eq!(problems(serde_json::json!({"secrets": ["env:S"]})), [""; 0]);
        let both = serde_json::json!({"secrets": ["env:S"], "callback_url": url, "callback_secret": secret});
        assert_eq!(problems(both), [""; 0]);
        assert_eq!(
            problems(serde_json::json!({"secrets": ["env:S"], "callback_url": url})),
            [callback]
        );
        assert_eq!(
            problems(serde_json::json!({"secrets": ["env:S"], "callback_secret": secret})),
            [callback]
        );
    }

    #[test]
    fn every_broken_rule_is_reported_with_its_path() {
        let manifest = manifest(serde_json::json!({
            "bots": [{"id": "b", "name": "B", "integration": "nowhere", "fallback": "nowhere", "error_message": "",
                      "context": {"max_messages": 201}},
                     {"id": "f", "name": "F", "integration": "i", "fallback": "somewhere"}],
            "integrations": [{"id": "i", "url": "ftp://u:p@x/", "timeout": "0s",
                              "headers": {"Host": "x", "webhook-id": "y", "X-Ok": "a\nb"},
                              "limits": {"concurrency": 0}, "retry": {"attempts": 0}}],
            "connections": [{"id": "c", "bot": "nobody", "channel":
                {"http": {"secrets": [], "callback_url": "https://x/", "callback_secret": "env:S"}}}]
        }));
        let problems = check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new());
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "bots.b.integration",
                "bots.b.fallback",
                "bots.b.context.max_messages",
                "bots.b.error_message",
                "bots.f.fallback",
                "integrations.i.url",
                "integrations.i.url",
                "integrations.i.timeout",
                "integrations.i.headers.Host",
                "integrations.i.headers.X-Ok",
                "integrations.i.headers.webhook-id",
                "integrations.i.limits.concurrency",
                "integrations.i.retry.attempts",
                "connections.c.bot",
                "connections.c.channel.http.secrets",
            ]
        );
    }

    #[test]
    fn a_rate_is_given_by_the_second_or_by_the_minute() {
        let rates = |limits| {
            let integration = serde_json::json!({"id": "i", "url": "https://a.example/", "limits": limits});
            let manifest = manifest(serde_json::json!({"integrations": [integration]}));
            check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new()).len()
        };
        assert_eq!(rates(serde_json::json!({"per_minute": 1})), 0);
        assert_eq!(rates(serde_json::json!({"per_minute": 0})), 1);
        assert_eq!(rates(serde_json::json!({"per_minute": 60, "per_second": 1})), 1);
    }

    #[test]
    fn a_breaker_needs_calls_to_judge_by_and_a_pause() {
        let integration = serde_json::json!({"id": "i", "url": "https://a.example/",
            "limits": {"breaker": {"calls": 0, "percent": 101, "pause": "1h"}}});
        let manifest = manifest(serde_json::json!({"integrations": [integration]}));
        let problems = check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new());
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "integrations.i.limits.breaker.calls: 0 is not within 1 to 10000",
                "integrations.i.limits.breaker.percent: 101 is not within 1 to 100",
                "integrations.i.limits.breaker.pause: 1h is not within 1s to 10m",
            ]
        );
    }

    #[test]
    fn the_guides_own_headers_are_allowed() {
        let manifest = manifest(serde_json::json!({
            "integrations": [{"id": "i", "url": "https://api.example.com/chat", "headers": {
                "Authorization": {"prefix": "Bearer ", "secret": "env:KEY"},
                "Content-Type": "application/json", "X-Feature-Flags": "streaming,tools"}}]
        }));
        assert_eq!(check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new()), []);
    }

    #[test]
    fn a_previous_secret_without_its_successor_is_refused() {
        let check = |integration| {
            let manifest = manifest(serde_json::json!({ "integrations": [integration] }));
            let problems = check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new());
            problems
                .into_iter()
                .map(|problem| problem.path)
                .collect::<Vec<_>>()
        };
        let mut integration = serde_json::json!({"id": "i", "url": "https://api.example.com/chat",
            "previous_signing_secret": "env:OLD"});
        assert_eq!(
            check(integration.clone()),
            ["integrations.i.previous_signing_secret"]
        );
        integration["signing_secret"] = "env:NEW".into();
        assert!(check(integration).is_empty());
    }

    #[test]
    fn the_server_of_a_platform_is_an_http_address() {
        let check = |channel| {
            let connection = serde_json::json!({"id": "c", "bot": "b", "channel": channel});
            let manifest = manifest(serde_json::json!({ "connections": [connection] }));
            let problems = check_manifest(&manifest, &BTreeSet::from(["b".to_owned()]), &BTreeSet::new());
            problems
                .into_iter()
                .map(|problem| problem.path)
                .collect::<Vec<_>>()
        };
        let telegram = |api_base: &str| serde_json::json!({"telegram": {"token": "env:T", "webhook_secret": "env:S", "api_base": api_base}});
        let slack = |api_base: &str| serde_json::json!({"slack": {"token": "env:T", "signing_secret": "env:S", "api_base": api_base}});
        assert_eq!(check(telegram("https://api.example/")), [""; 0]);
        assert_eq!(check(slack("https://slack.example/api")), [""; 0]);
        assert_eq!(
            check(telegram("ftp://x/")),
            ["connections.c.channel.telegram.api_base"]
        );
        assert_eq!(check(slack("ftp://x/")), ["connections.c.channel.slack.api_base"]);
        assert_eq!(
            check(slack("https://u:p@x/")),
            ["connections.c.channel.slack.api_base"]
        );
    }

    #[test]
    fn what_is_stored_already_may_be_referred_to() {
        let manifest = manifest(serde_json::json!({"bots": [{"id": "b", "name": "B", "integration": "i"}]}));
        let stored = BTreeSet::from(["i".to_owned()]);
        assert_eq!(check_manifest(&manifest, &BTreeSet::new(), &stored), []);
    }

    #[test]
    fn an_id_listed_twice_is_refused() {
        let one = serde_json::json!({"id": "i", "url": "https://a.example/"});
        let manifest = manifest(serde_json::json!({ "integrations": [one, one] }));
        let problems = check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new());
        assert_eq!(problems[0].to_string(), "integrations.i: is listed twice");
    }
}
