//! A broker, a configuration with one integration, and the service in this process.

use std::net::SocketAddr;
use std::sync::LazyLock;

use bus::{Bus, BusConfig, OnDifference, Questions};
use console::Console;
use proto_schemas::integration_test::{IntegrationTest, IntegrationTestReport};
use proto_schemas::subjects::INTEGRATION_TESTS;
use proto_schemas::topology::INBOX;
use registry::Manifest;
use reqwest::{Method, RequestBuilder, Response};
use runtime::StartError;
use runtime::service::{Running, configure, launch};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;
use tokio_util::sync::CancellationToken;

/// What an operator shows.
pub(crate) const OPERATOR: &str = "an-operator-of-the-tests";
/// What a viewer shows.
pub(crate) const VIEWER: &str = "a-viewer-of-the-tests";

/// The API's description, as it is committed.
static DESCRIPTION: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../openapi.json")).unwrap());

/// A running service. Ends with the test's runtime.
pub(crate) struct Fixture {
    pub(crate) nats: NatsServer,
    pub(crate) bus: Bus,
    running: Running,
    pub(crate) folder: TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The revision, if the answer has one.
    pub(crate) tag: Option<String>,
    pub(crate) body: Value,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// With settings of its own.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        let nats = NatsServer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let config = BusConfig::new(nats.url(), "test");
        let bus = Bus::connect(config).await.unwrap();
        wait_until(PATIENCE, "the topology", async || {
            bus.ensure_topology(OnDifference::Keep).await.is_ok()
        })
        .await;
        let manifest =
            json!({"integrations": [{"id": "support", "url": "https://a.example/", "timeout": "1s"}]});
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        manifest.store(&bus).await.unwrap();
        let running = start(nats.url(), &folder, OPERATOR, settings).await.unwrap();
        Self {
            nats,
            bus,
            running,
            folder,
        }
    }

    /// Where it listens.
    pub(crate) fn url(&self, name: &str) -> String {
        let address: SocketAddr = self.running.address(name).unwrap();
        format!("http://{address}")
    }

    /// A request of an operator, not sent yet.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.request_as(OPERATOR, method, path)
    }

    /// A request with this token, not sent yet.
    pub(crate) fn request_as(&self, token: &str, method: Method, path: &str) -> RequestBuilder {
        self.stranger(method, path).bearer_auth(token)
    }

    /// A request without a token, not sent yet.
    pub(crate) fn stranger(&self, method: Method, path: &str) -> RequestBuilder {
        client().request(method, format!("{}{path}", self.url("http")))
    }

    /// What an operator is answered.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request(Method::GET, path)).await
    }

    /// A request for a test, not sent yet.
    pub(crate) fn test_request(&self, id: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
        self.request(Method::POST, &format!("/v1/integrations/{id}/test"))
            .body(body)
    }

    /// Asks for a test of the integration.
    pub(crate) async fn test(&self, body: &Value) -> Response {
        let request = self.test_request("support", body.to_string());
        request.send().await.unwrap()
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

    /// Sends a request for a test, and answers with this outcome: what was asked, and what the client was told.
    pub(crate) async fn answered(
        &self,
        request: RequestBuilder,
        outcome: Value,
    ) -> (IntegrationTest, Response) {
        let mut questions = self.questions().await;
        let asking = request.send();
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
        (asked, asking.await.unwrap())
    }

    /// What `/metrics` says of requests that ended so.
    pub(crate) async fn count(&self, result: &str) -> u64 {
        self.series(&format!(
            "requests_total{{result=\"{result}\",service=\"console\"}}"
        ))
        .await
    }

    /// What `/metrics` says of a series, its name without the beginning.
    pub(crate) async fn series(&self, series: &str) -> u64 {
        let url = format!("{}/metrics", self.url("admin"));
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        let series = format!("chatbot_console_{series} ");
        let found = text.lines().find_map(|line| line.strip_prefix(&series));
        found
            .unwrap_or_else(|| panic!("no {series} in {text}"))
            .parse()
            .unwrap()
    }
}

/// What the service is told: where the broker is, and a token of each role.
pub(crate) fn variables(nats_url: &str, folder: &TempDir, operator: &str) -> Vec<(&'static str, String)> {
    let token = |name: &str, token: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, token).unwrap();
        format!("file:{}", file.display())
    };
    vec![
        ("NATS_URL", nats_url.to_owned()),
        ("ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
        ("HTTP_LISTEN", "127.0.0.1:0".to_owned()),
        ("CONSOLE_OPERATOR_TOKEN", token("operator", operator)),
        ("CONSOLE_VIEWER_TOKEN", token("viewer", VIEWER)),
        ("CONSOLE_REQUESTS_PER_SECOND", "1000".to_owned()),
    ]
}

/// Launches the service.
pub(crate) async fn start(
    nats_url: &str,
    folder: &TempDir,
    operator: &str,
    settings: &[(&str, &str)],
) -> Result<Running, StartError> {
    start_until(nats_url, folder, operator, settings, CancellationToken::new()).await
}

/// Launches the service, which drains when it is told to.
pub(crate) async fn start_until(
    nats_url: &str,
    folder: &TempDir,
    operator: &str,
    settings: &[(&str, &str)],
    shutdown: CancellationToken,
) -> Result<Running, StartError> {
    let variables = variables(nats_url, folder, operator).into_iter();
    let mut variables: Vec<(String, String)> =
        variables.map(|(key, value)| (key.to_owned(), value)).collect();
    variables.extend(
        settings
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
    );
    let (common, own) = configure::<Console>(variables).unwrap();
    let launching = Box::pin(launch::<Console>(common, own, shutdown));
    launching.await.map(|running| running.unwrap())
}

/// Sends a request, and checks that the answer is one that the API's description has.
pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let (client, request) = request.build_split();
    let request = request.unwrap();
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let response = client.execute(request).await.unwrap();
    let status = response.status().as_u16();
    let tag = response.headers().get("etag");
    let tag = tag.map(|tag| tag.to_str().unwrap().to_owned());
    let body = body(response).await;
    assert_described(&method, &path, status, &body);
    Answer { status, tag, body }
}

/// The body of an answer, as JSON.
pub(crate) async fn body(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

fn assert_described(method: &Method, path: &str, status: u16, body: &Value) {
    let mut parts: Vec<&str> = path.split('/').collect();
    if parts.len() > 3 && DESCRIPTION["paths"][path].is_null() {
        parts[3] = "{id}";
    }
    let operation = &DESCRIPTION["paths"][parts.join("/")][method.as_str().to_lowercase()];
    let response = &operation["responses"][status.to_string()];
    assert!(!response.is_null(), "{method} {path} has no {status}: {body}");
    let content = if status < 300 {
        &response["content"]["application/json"]
    } else {
        let code = format!("`{}`", body["code"].as_str().unwrap());
        let described = response["description"].as_str().unwrap();
        assert!(described.contains(&code), "{method} {path}: {described}");
        &DESCRIPTION["components"]["responses"]["Problem"]["content"]["application/problem+json"]
    };
    let mut schema = content["schema"].clone();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("components".to_owned(), DESCRIPTION["components"].clone());
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(body)
        .map(|error| error.to_string())
        .collect();
    assert!(
        errors.is_empty(),
        "{method} {path} {status}: {errors:?} in {body}"
    );
}
