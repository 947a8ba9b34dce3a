//! The platform: one process of each service, as built for release, with the settings that operators get.

use std::rc::Rc;

use futures_util::future::join_all;
use proto_schemas::dead_letter::Stage;
use registry::Manifest;
use serde_json::{Value, json};
use testkit::callback::new_secret;
use testkit::nats::NatsServer;
use testkit::process::Service;

use crate::chain::{Chain, connect};
use crate::cpu::Watched;
use crate::driver::Door;

/// Bots that share the conversations, each with an integration and a connection of its own.
pub(crate) const BOTS: usize = 8;

/// Settings of the services that differ from their defaults: limits that one user of one bot would meet.
pub(crate) const SETTINGS: [(&str, &str); 4] = [
    ("CONNECTION_RATE", "100000"),
    ("CONNECTION_BURST", "100000"),
    ("CONVERSATION_RATE", "100000"),
    ("CONVERSATION_BURST", "100000"),
];

/// Starts the services on a broker and waits until they are ready.
pub(crate) async fn start(
    nats: Rc<NatsServer>,
    backend_url: &str,
    callback_url: &str,
    settings: &[(&'static str, &str)],
) -> Chain {
    let bus = connect(&nats).await;
    manifest(backend_url, callback_url)
        .store(&bus)
        .await
        .expect("the manifest is valid");
    drop(bus);
    let env = environment(nats.url(), settings);
    let services = join_all(Stage::ALL.map(async |stage| {
        let service = Service::start(stage.as_str(), &env).await;
        service.ready().await;
        (stage, service)
    }))
    .await;
    let mut processes = Vec::new();
    let mut address = None;
    for (stage, service) in &services {
        let name = stage.as_str().to_owned();
        processes.push(Watched {
            name,
            pid: service.pid(),
        });
        if *stage == Stage::Ingress {
            address = Some(service.address("http").await);
        }
    }
    processes.push(Watched {
        name: "nats-server".to_owned(),
        pid: nats.pid(),
    });
    Chain {
        door: Door {
            address: address.expect("ingress is one of the services"),
            path: |conversation| format!("/v1/channels/{}/messages", connection_of(conversation)),
            secret: push_secret(),
        },
        processes,
        _parts: services
            .into_iter()
            .map(|(_, service)| Box::new(service) as _)
            .collect(),
        nats,
    }
}

/// The connection through which a conversation comes in.
pub(crate) fn connection_of(conversation: usize) -> String {
    format!("web-{}", conversation % BOTS)
}

fn push_secret() -> String {
    new_secret("push")
}

fn environment(nats_url: &str, settings: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let usual = [
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
    let usual = usual
        .iter()
        .chain(&SETTINGS)
        .chain(settings)
        .map(|(key, value)| (*key, (*value).to_owned()));
    usual.chain(secrets).collect()
}

fn manifest(backend_url: &str, callback_url: &str) -> Manifest {
    let each =
        |make: fn(usize, &str) -> Value, url: &str| (0..BOTS).map(|bot| make(bot, url)).collect::<Vec<_>>();
    let manifest = json!({
        "integrations": each(integration, backend_url),
        "bots": (0..BOTS).map(|bot| json!({ "id": format!("bot-{bot}"), "name": "Bench",
            "integration": format!("webhook-{bot}") })).collect::<Vec<_>>(),
        "connections": each(http_connection, callback_url),
    });
    serde_json::from_value(manifest).expect("the literal is a manifest")
}

fn integration(bot: usize, url: &str) -> Value {
    json!({
        "id": format!("webhook-{bot}"),
        "url": url,
        "headers": { "Authorization": { "prefix": "Bearer ", "secret": "env:WEBHOOK_KEY" } },
        "signing_secret": "env:WEBHOOK_SECRET",
    })
}

fn http_connection(bot: usize, url: &str) -> Value {
    let channel = json!({
        "secrets": ["env:PUSH_SECRET"],
        "callback_url": url,
        "callback_secret": "env:CALLBACK_SECRET",
    });
    json!({ "id": format!("web-{bot}"), "bot": format!("bot-{bot}"), "channel": { "http": channel } })
}
