//! A broker, a configuration with one integration, and the service in this process.

use std::net::SocketAddr;

use bus::{Bus, BusConfig, OnDifference, Questions};
use console::Console;
use proto_schemas::integration_test::{IntegrationTest, IntegrationTestReport};
use proto_schemas::subjects::INTEGRATION_TESTS;
use proto_schemas::topology::INBOX;
use registry::Manifest;
use runtime::StartError;
use runtime::service::{Running, configure, launch};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;
use tokio_util::sync::CancellationToken;

/// What a client shows.
pub(crate) const TOKEN: &str = "a-token-of-the-tests";

/// A running service. Ends with the test's runtime.
pub(crate) struct Fixture {
    pub(crate) nats: NatsServer,
    pub(crate) bus: Bus,
    running: Running,
    _folder: TempDir,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        let nats = NatsServer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let config = BusConfig {
            url: nats.url().to_owned(),
            name: "test".to_owned(),
            replicas: 1,
            ack_wait: None,
        };
        let bus = Bus::connect(config).await.unwrap();
        wait_until(PATIENCE, "the topology", async || {
            bus.ensure_topology(OnDifference::Keep).await.is_ok()
        })
        .await;
        let manifest =
            json!({"integrations": [{"id": "support", "url": "https://a.example/", "timeout": "1s"}]});
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        manifest.store(&bus).await.unwrap();
        let running = start(nats.url(), &folder, TOKEN).await.unwrap();
        Self {
            nats,
            bus,
            running,
            _folder: folder,
        }
    }

    fn url(&self, name: &str) -> String {
        let address: SocketAddr = self.running.address(name).unwrap();
        format!("http://{address}")
    }

    /// A request for a test, not sent yet.
    pub(crate) fn request(&self, id: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let url = format!("{}/v1/integrations/{id}/test", self.url("http"));
        client().post(url).bearer_auth(TOKEN).body(body)
    }

    /// Where nothing is.
    pub(crate) fn elsewhere(&self) -> String {
        format!("{}/v1/nothing", self.url("http"))
    }

    /// Asks for a test of the integration.
    pub(crate) async fn test(&self, body: &Value) -> reqwest::Response {
        self.request("support", body.to_string()).send().await.unwrap()
    }

    /// Takes what the service asks, from the moment that this returns.
    pub(crate) async fn questions(&self) -> Questions {
        let questions = self
            .bus
            .questions(INTEGRATION_TESTS, "webhook-caller")
            .await
            .unwrap();
        // The broker takes what comes over a connection in order: when it has answered this, it knows of the rest.
        self.bus.last(INBOX.name, "inbox.none").await.unwrap();
        questions
    }

    /// Asks for a test, and answers with this outcome: what was asked, and what the client was told.
    pub(crate) async fn answered(
        &self,
        body: &Value,
        outcome: Value,
    ) -> (IntegrationTest, reqwest::Response) {
        let mut questions = self.questions().await;
        let asking = self.test(body);
        let answering = async {
            let question = questions.next().await.unwrap();
            let asked: IntegrationTest = question.decode().unwrap();
            let report = json!({"integration": asked.integration, "outcome": outcome});
            let report: IntegrationTestReport = serde_json::from_value(report).unwrap();
            question.answer(&report).await.unwrap();
            asked
        };
        tokio::pin!(asking);
        let asked = tokio::select! {
            asked = answering => asked,
            response = &mut asking => panic!("answered without being asked: {response:?}"),
        };
        (asked, asking.await)
    }

    /// What `/metrics` says of requests that ended so.
    pub(crate) async fn count(&self, result: &str) -> u64 {
        let url = format!("{}/metrics", self.url("admin"));
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        let series = format!("chatbot_console_requests_total{{result=\"{result}\",service=\"console\"}} ");
        let found = text.lines().find_map(|line| line.strip_prefix(&series));
        found
            .unwrap_or_else(|| panic!("no {series} in {text}"))
            .parse()
            .unwrap()
    }
}

/// Launches the service with a token.
pub(crate) async fn start(nats_url: &str, folder: &TempDir, token: &str) -> Result<Running, StartError> {
    let file = folder.path().join("token");
    std::fs::write(&file, token).unwrap();
    let variables = [
        ("NATS_URL", nats_url.to_owned()),
        ("ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("HTTP_LISTEN", "127.0.0.1:0".to_owned()),
        ("CONSOLE_TOKEN", format!("file:{}", file.display())),
    ];
    let variables = variables.map(|(key, value)| (key.to_owned(), value));
    let (common, own) = configure::<Console>(variables).unwrap();
    let launching = Box::pin(launch::<Console>(common, own, CancellationToken::new()));
    launching.await.map(|running| running.unwrap())
}

/// The body of an answer, as JSON.
pub(crate) async fn body(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}
