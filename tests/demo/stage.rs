//! The pipeline, the webhook, and how what they say is shown.

use bus::Bus;
use proto_schemas::dead_letter::Stage as Service;
use registry::Manifest;
use serde_json::{Value, json};
use testkit::backend::{FakeBackend, Recorded, Scripted};
use testkit::files::FileHost;
use testkit::nats::NatsServer;
use tests::broker::connect;
use tests::fleet::{Fleet, environment};
use tests::manifest::{bot, integration};

/// What the person asks about: the beginning of a PNG.
pub(crate) const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n a cat";
/// What stands behind the button that the person presses.
pub(crate) const YES: &str = "more:42";
/// The connection that is shown.
pub(crate) const CONNECTION: &str = "demo";

const REPORT: &[u8] = b"%PDF-1.7 all about cats";
const ANSWER: &str = "## A cat\n\nI see **one cat**, _asleep_:\n\n```rust\nlet cats = 1;\n```\n\nMore?";

/// Everything but the platform.
pub(crate) struct Stage {
    fleet: Fleet,
    bus: Bus,
    backend: FakeBackend,
    // Kept so that they outlive the services.
    _files: FileHost,
    _nats: NatsServer,
}

impl Stage {
    /// Starts the broker, the services and the webhook.
    pub(crate) async fn set() -> Self {
        let nats = NatsServer::start().await;
        let backend = FakeBackend::start().await;
        let files = FileHost::start().await;
        let report = files.add("cats.pdf", "application/pdf", REPORT);
        backend.respond_with(move |call| answer(call, &report));
        Self {
            fleet: Fleet::start(environment(nats.url(), &[]), 1).await,
            bus: connect(nats.url()).await,
            backend,
            _files: files,
            _nats: nats,
        }
    }

    /// Configures the connection; gives the address to which its platform pushes, but for the last part.
    pub(crate) async fn connect(&self, connection: Value) -> String {
        let manifest = json!({
            "integrations": [integration("webhook", &self.backend.url(), json!({}))],
            "bots": [bot("demo", "webhook", "queue", json!({}))],
            "connections": [connection],
        });
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        manifest.store(&self.bus).await.unwrap();
        let ingress = &self.fleet.replicas(Service::Ingress)[0];
        format!(
            "http://{}/v1/channels/{CONNECTION}",
            ingress.address("http").await
        )
    }

    /// Shows what the webhook was asked, when it was asked so often.
    pub(crate) async fn show_call(&self, number: usize) {
        let calls = self.backend.wait_for_calls(number).await;
        let body: Value = serde_json::from_slice(&calls[number - 1].body).unwrap();
        show("the webhook is asked", &body);
    }
}

fn answer(call: &Recorded, report: &str) -> Scripted {
    if call.last_text() == YES {
        return Scripted::text("That is all I know about cats.");
    }
    Scripted::Reply(json!({
        "content": ANSWER,
        "attachments": [{ "url": report, "filename": "cats.pdf", "mime_type": "application/pdf" }],
        "buttons": [{ "label": "Tell me more", "value": YES }, { "label": "Enough" }],
    }))
}

/// Shows what somebody got or said.
pub(crate) fn show(what: &str, content: &Value) {
    println!("== {what}\n{content:#}\n");
}
