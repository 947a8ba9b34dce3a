//! The platform: one process of each service, as built for release, with the settings that operators get.

use bus::Bus;
use futures_util::future::join_all;
use proto_schemas::dead_letter::Stage;
use registry::Manifest;
use serde_json::{Value, json};
use testkit::callback::new_secret;
use testkit::process::Service;

use crate::chain::Chain;
use crate::cpu::Watched;
use crate::driver::Door;

/// Bots that share the conversations where a scenario says nothing else. With fewer, 2,048 messages under way
/// would meet the limits of one integration (256 calls) and one connection (320 replies).
pub(crate) const BOTS: usize = 8;

/// Settings that differ from their defaults: limits on senders, which are fewer and faster here.
pub(crate) const UNLIMITED_SENDERS: [(&str, &str); 4] = [
    ("CONNECTION_RATE", "100000"),
    ("CONNECTION_BURST", "100000"),
    ("CONVERSATION_RATE", "100000"),
    ("CONVERSATION_BURST", "100000"),
];

/// Settings of services, by the names of their variables; `service/VARIABLE` is for one service only.
pub(crate) type Settings<'a> = &'a [(&'static str, &'a str)];

/// What the platform is configured with.
pub(crate) struct Setup<'a> {
    /// Where the broker is.
    pub(crate) nats_url: &'a str,
    /// Bots, each with an integration and a connection of its own.
    pub(crate) bots: &'a [Bot],
    /// Where all replies go.
    pub(crate) callback_url: String,
    /// Settings of the services besides those that say where things are.
    pub(crate) settings: Settings<'a>,
}

/// A bot's webhook.
#[derive(Debug, Clone)]
pub(crate) struct Bot {
    /// Where it is called.
    pub(crate) url: String,
    /// Calls in flight; the default when none.
    pub(crate) concurrency: Option<usize>,
    /// Its deadline; the default when none.
    pub(crate) timeout: Option<&'static str>,
}

impl Bot {
    /// A bot with default limits.
    pub(crate) fn at(url: String) -> Self {
        Self {
            url,
            concurrency: None,
            timeout: None,
        }
    }
}

/// Starts the services and waits until they are ready. `bot_of` says which bot a conversation belongs to.
pub(crate) async fn start(bus: &Bus, setup: Setup<'_>, bot_of: fn(usize) -> usize) -> (Chain, Door) {
    let manifest = manifest(setup.bots, &setup.callback_url);
    manifest.store(bus).await.expect("the manifest is valid");
    let services = join_all(Stage::ALL.map(async |stage| {
        let env = environment(setup.nats_url, setup.settings, stage);
        let service = Service::start(stage.as_str(), &env).await;
        service.ready().await;
        (stage, service)
    }))
    .await;
    let (_, ingress) = services
        .iter()
        .find(|(stage, _)| *stage == Stage::Ingress)
        .expect("ingress is one of the services");
    let door = Door {
        address: ingress.address("http").await,
        path: Box::new(move |conversation| format!("/v1/channels/web-{}/messages", bot_of(conversation))),
        secret: push_secret(),
    };
    let chain = Chain {
        name: "platform",
        processes: services
            .iter()
            .map(|(stage, service)| Watched::new(stage.as_str(), service.pid()))
            .collect(),
        _guards: services
            .into_iter()
            .map(|(_, service)| Box::new(service) as _)
            .collect(),
    };
    (chain, door)
}

/// The usual choice: conversations take turns.
pub(crate) fn one_of_all(conversation: usize) -> usize {
    conversation % BOTS
}

fn push_secret() -> String {
    new_secret("push")
}

fn environment(nats_url: &str, settings: Settings<'_>, stage: Stage) -> Vec<(&'static str, String)> {
    let places = [
        ("NATS_URL", nats_url),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("HTTP_LISTEN", "127.0.0.1:0"),
        ("OUTBOUND_ALLOW", "127.0.0.1"),
        ("ATTACHMENTS_URL", "http://127.0.0.1:9/files"),
        ("ATTACHMENTS_SECRET", "env:ATTACHMENTS_SIGNING_KEY"),
        ("ATTACHMENTS_SIGNING_KEY", "attachments-signing-key-of-the-bench"),
        ("WEBHOOK_KEY", "webhook-api-key-of-the-bench"),
    ];
    let secrets = [
        ("PUSH_SECRET", push_secret()),
        ("CALLBACK_SECRET", new_secret("callback")),
        ("WEBHOOK_SECRET", new_secret("webhook")),
    ];
    let own = settings
        .iter()
        .filter_map(|&(key, value)| match key.split_once('/') {
            Some((service, key)) => (service == stage.as_str()).then_some((key, value)),
            None => Some((key, value)),
        });
    let plain = places.into_iter().chain(own);
    plain
        .map(|(key, value)| (key, value.to_owned()))
        .chain(secrets)
        .collect()
}

fn manifest(bots: &[Bot], callback_url: &str) -> Manifest {
    let numbered = || bots.iter().enumerate();
    let manifest = json!({
        "integrations": numbered().map(|(number, bot)| integration(number, bot)).collect::<Vec<_>>(),
        "bots": numbered().map(|(number, _)| json!({
            "id": format!("bot-{number}"),
            "name": "Bench",
            "integration": format!("webhook-{number}"),
        })).collect::<Vec<_>>(),
        "connections": numbered().map(|(number, _)| http_connection(number, callback_url)).collect::<Vec<_>>(),
    });
    serde_json::from_value(manifest).expect("the literal is a manifest")
}

fn integration(number: usize, bot: &Bot) -> Value {
    let mut integration = json!({
        "id": format!("webhook-{number}"),
        "url": bot.url,
        "headers": { "Authorization": { "prefix": "Bearer ", "secret": "env:WEBHOOK_KEY" } },
        "signing_secret": "env:WEBHOOK_SECRET",
    });
    if let Some(concurrency) = bot.concurrency {
        integration["limits"] = json!({ "concurrency": concurrency });
    }
    if let Some(timeout) = bot.timeout {
        integration["timeout"] = json!(timeout);
    }
    integration
}

fn http_connection(number: usize, url: &str) -> Value {
    let channel = json!({
        "secrets": ["env:PUSH_SECRET"],
        "callback_url": url,
        "callback_secret": "env:CALLBACK_SECRET",
    });
    json!({ "id": format!("web-{number}"), "bot": format!("bot-{number}"), "channel": { "http": channel } })
}
