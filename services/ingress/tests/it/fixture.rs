//! A broker, a configuration with one connection of each channel, and the service in this process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bus::{Bus, BusConfig, Entry, OnDifference};
use ingress::Ingress;
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::topology::{DEAD_LETTERS, INBOX};
use registry::Manifest;
use runtime::service;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::callback::new_secret;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_for, wait_until};
use testkit::discord::{APPLICATION, PUBLIC_KEY};
use testkit::nats::NatsServer;
use tokio_util::sync::CancellationToken;

/// The connection of the HTTP channel.
pub(crate) const HTTP: &str = "support-http";
/// The connection of Telegram.
pub(crate) const TELEGRAM: &str = "support-telegram";
/// Another one of Telegram, which answers everything in groups.
pub(crate) const TALKATIVE: &str = "talkative-telegram";
/// What Telegram sends along.
pub(crate) const WEBHOOK_SECRET: &str = "telegram-s3cret";
/// The connection of Slack.
pub(crate) const SLACK: &str = "support-slack";
/// What Slack signs with.
pub(crate) const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// The connection of Discord.
pub(crate) const DISCORD: &str = "support-discord";
/// A connection whose secrets are nowhere.
pub(crate) const BROKEN: &str = "broken-http";

/// A running service. Ends with the test's runtime.
pub(crate) struct Fixture {
    pub(crate) nats: NatsServer,
    pub(crate) bus: Bus,
    /// Signs pushes of [`HTTP`].
    pub(crate) secret: String,
    /// Where it takes pushes, without a slash at the end.
    pub(crate) url: String,
    admin: String,
    shutdown: CancellationToken,
    folder: TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Fixture {
    /// Starts everything, with `settings` besides those that every test needs.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let nats = NatsServer::start().await;
        let bus = connect(nats.url()).await;
        let secret = new_secret("push");
        manifest(folder.path(), &secret).store(&bus).await.unwrap();
        let addresses = folder.path().join("addresses");
        let shutdown = CancellationToken::new();
        launch(nats.url(), &addresses, settings, &shutdown).await;
        let (url, admin) = (bound(&addresses, "http"), bound(&addresses, "admin"));
        Self {
            nats,
            bus,
            secret,
            url,
            admin,
            shutdown,
            folder,
        }
    }

    /// Starts another replica; returns where it takes pushes.
    pub(crate) async fn another(&self) -> String {
        let addresses = self.folder.path().join("addresses-of-another");
        launch(self.nats.url(), &addresses, &[], &self.shutdown).await;
        bound(&addresses, "http")
    }

    /// Pushes a message of the HTTP channel under a `webhook-id`.
    pub(crate) async fn push(&self, id: &str, message: &Value) -> reqwest::Response {
        testkit::callback::push_with_id(&self.url, HTTP, &self.secret, id, message)
            .await
            .unwrap()
    }

    /// Pushes an update with Telegram's secret.
    pub(crate) async fn update(&self, update: &Value) -> reqwest::Response {
        self.update_of(TELEGRAM, update).await
    }

    /// The same for another connection.
    pub(crate) async fn update_of(&self, connection: &str, update: &Value) -> reqwest::Response {
        let url = format!("{}/v1/channels/{connection}/updates", self.url);
        testkit::telegram::push_update(&url, WEBHOOK_SECRET, update)
            .await
            .unwrap()
    }

    /// Pushes an event signed as Slack does.
    pub(crate) async fn event(&self, event: &Value) -> reqwest::Response {
        testkit::slack::push_event(&self.slack_url(), SIGNING_SECRET, event)
            .await
            .unwrap()
    }

    /// Where Slack pushes everything.
    pub(crate) fn slack_url(&self) -> String {
        format!("{}/v1/channels/{SLACK}/events", self.url)
    }

    /// Pushes an interaction signed as Discord does.
    pub(crate) async fn interaction(&self, interaction: &Value) -> reqwest::Response {
        testkit::discord::push_interaction(&self.discord_url(), interaction)
            .await
            .unwrap()
    }

    /// Where Discord pushes everything.
    pub(crate) fn discord_url(&self) -> String {
        format!("{}/v1/channels/{DISCORD}/interactions", self.url)
    }

    /// All that is in the stream of inboxes.
    pub(crate) async fn inbox(&self) -> Vec<InboxEntry> {
        let entries = self.entries(INBOX.name, "inbox.*").await;
        entries.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// All dead letters.
    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let entries = self.entries(DEAD_LETTERS.name, "dead-letters.>").await;
        entries.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// The messages of a stream whose subject matches. After a restart of the broker the test's own connection
    /// comes back when it does, hence the wait.
    pub(crate) async fn entries(&self, stream: &str, subject: &str) -> Vec<Entry> {
        let read = wait_for(PATIENCE, "the stream to be read", async || {
            self.bus.entries(stream, subject, 1, 100, 1 << 20).await.ok()
        });
        read.await.list
    }

    /// How many pushes of a channel ended so.
    pub(crate) async fn requests(&self, channel: &str, result: &str) -> u64 {
        self.count(&format!(
            "requests_total{{channel=\"{channel}\",result=\"{result}\""
        ))
        .await
    }

    /// How many dead letters of a class were counted.
    pub(crate) async fn buried(&self, class: &str) -> u64 {
        self.count(&format!("dead_letters_published_total{{class=\"{class}\""))
            .await
    }

    async fn count(&self, series: &str) -> u64 {
        let text = client()
            .get(format!("{}/metrics", self.admin))
            .send()
            .await
            .unwrap();
        let text = text.text().await.unwrap();
        let series = format!("chatbot_{series},service=\"ingress\"}} ");
        let found = text.lines().find_map(|line| line.strip_prefix(&series));
        found
            .expect("the series is there from the start")
            .parse()
            .unwrap()
    }
}

/// The only entry, which must be a received message.
pub(crate) fn only_received(entries: Vec<InboxEntry>) -> Received {
    match <[InboxEntry; 1]>::try_from(entries) {
        Ok([InboxEntry::Received(received)]) => received,
        Ok([other]) => panic!("not a message: {other:?}"),
        Err(entries) => panic!("{} entries instead of one", entries.len()),
    }
}

/// The body of an answer, as JSON.
pub(crate) async fn body(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

/// `Retry-After` in seconds.
pub(crate) fn retry_after(response: &reqwest::Response) -> u64 {
    response.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap()
}

pub(crate) async fn connect(url: &str) -> Bus {
    let config = BusConfig::new(url, "test");
    let bus = Bus::connect(config).await.unwrap();
    wait_until(PATIENCE, "the topology", async || {
        bus.ensure_topology(OnDifference::Keep).await.is_ok()
    })
    .await;
    bus
}

async fn launch(nats_url: &str, addresses: &Path, settings: &[(&str, &str)], shutdown: &CancellationToken) {
    let fixed = [
        ("NATS_URL", nats_url),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("HTTP_LISTEN", "127.0.0.1:0"),
        ("ADDRESS_FILE", addresses.to_str().unwrap()),
    ];
    let variables = fixed.iter().chain(settings);
    let variables = variables.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let (common, own) = service::configure::<Ingress>(variables).unwrap();
    // Its tasks run on; the test ends them by the token.
    let launched = Box::pin(service::launch::<Ingress>(common, own, shutdown.clone()));
    assert!(launched.await.unwrap().is_some());
}

fn bound(addresses: &Path, name: &str) -> String {
    let bound: Value = serde_json::from_slice(&std::fs::read(addresses).unwrap()).unwrap();
    let address: SocketAddr = bound[name].as_str().unwrap().parse().unwrap();
    format!("http://{address}")
}

fn manifest(folder: &Path, secret: &str) -> Manifest {
    let kept = |name: &str, value: &str| -> String {
        let path: PathBuf = folder.join(name);
        std::fs::write(&path, value).unwrap();
        format!("file:{}", path.display())
    };
    let push_secret = kept("push", secret);
    let (token, webhook_secret) = (kept("token", "123456:ABC"), kept("webhook", WEBHOOK_SECRET));
    let http = |secret: &str| {
        json!({"http": {
            "secrets": [secret], "callback_url": "https://chat.example/replies", "callback_secret": push_secret,
        }})
    };
    let telegram = json!({"telegram": {"token": token, "webhook_secret": webhook_secret}});
    let signing_secret = kept("signing", SIGNING_SECRET);
    let slack = json!({"slack": {"token": token, "signing_secret": signing_secret}});
    let discord = json!({"discord": {
        "token": token, "application_id": APPLICATION, "public_key": PUBLIC_KEY,
    }});
    let missing = format!("file:{}", folder.join("missing").display());
    let manifest = json!({"connections": [
        {"id": HTTP, "bot": "support", "channel": http(&push_secret)},
        {"id": TELEGRAM, "bot": "support", "channel": telegram},
        {"id": TALKATIVE, "bot": "support", "groups": "always", "channel": telegram},
        {"id": SLACK, "bot": "support", "channel": slack},
        {"id": DISCORD, "bot": "support", "channel": discord},
        {"id": BROKEN, "bot": "support", "channel": http(&missing)},
    ]});
    serde_json::from_value(manifest).unwrap()
}
