//! The platform: one process of each service, as built for release, with the settings that operators get.

use std::net::SocketAddr;

use bus::Bus;
use futures_util::future::join_all;
use proto_schemas::dead_letter::Stage;
use registry::Manifest;
use serde_json::{Value, json};
use testkit::process::Service;
use tests::manifest;

use crate::chain::Chain;
use crate::cpu::Watched;

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
    /// The connection of each bot, by the bot's number.
    pub(crate) connect: &'a dyn Fn(usize) -> Value,
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

/// Starts the services and waits until they are ready; tells where ingress listens as well.
pub(crate) async fn start(bus: &Bus, setup: Setup<'_>) -> (Chain, SocketAddr) {
    let manifest = manifest(setup.bots, setup.connect);
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
    let address = ingress.address("http").await;
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
    (chain, address)
}

/// The usual choice: conversations take turns.
pub(crate) fn one_of_all(conversation: usize) -> usize {
    conversation % BOTS
}

fn environment(nats_url: &str, settings: Settings<'_>, stage: Stage) -> Vec<(&'static str, String)> {
    let places = [
        ("NATS_URL", nats_url),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("HTTP_LISTEN", "127.0.0.1:0"),
        ("OUTBOUND_ALLOW", "127.0.0.1"),
        ("ATTACHMENTS_URL", "http://127.0.0.1:9/files"),
        ("ATTACHMENTS_SECRET", "env:ATTACHMENTS_SIGNING_KEY"),
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
        .chain(manifest::secrets())
        .collect()
}

fn manifest(bots: &[Bot], connect: &dyn Fn(usize) -> Value) -> Manifest {
    let numbered = || bots.iter().enumerate();
    let manifest = json!({
        "integrations": numbered().map(|(number, bot)| integration(number, bot)).collect::<Vec<_>>(),
        "bots": numbered().map(|(number, _)| json!({
            "id": bot(number),
            "name": "Bench",
            "integration": webhook(number),
        })).collect::<Vec<_>>(),
        "connections": numbered().map(|(number, _)| connect(number)).collect::<Vec<_>>(),
    });
    serde_json::from_value(manifest).expect("the literal is a manifest")
}

fn integration(number: usize, bot: &Bot) -> Value {
    let mut more = json!({});
    if let Some(concurrency) = bot.concurrency {
        more["limits"] = json!({ "concurrency": concurrency });
    }
    if let Some(timeout) = bot.timeout {
        more["timeout"] = json!(timeout);
    }
    manifest::integration(&webhook(number), &bot.url, more)
}

fn webhook(number: usize) -> String {
    format!("webhook-{number}")
}

/// The name of a bot.
pub(crate) fn bot(number: usize) -> String {
    format!("bot-{number}")
}

/// The name of a bot's connection.
pub(crate) fn connection(number: usize) -> String {
    format!("connection-{number}")
}

/// The connection of a bot on our own channel.
pub(crate) fn http_connection(number: usize, callback_url: &str) -> Value {
    manifest::http(&connection(number), &bot(number), callback_url)
}
