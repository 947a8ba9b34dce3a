//! A broker, a webhook, and the service launched in this process.

use std::time::Duration;

use bus::{Bus, BusConfig, OnDifference, Outgoing, Published, Revision, TraceContext};
use proto_schemas::context::Context;
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::TurnId;
use proto_schemas::progress::TurnProgress;
use proto_schemas::subjects;
use proto_schemas::topology::{
    CONTEXTS, DEAD_LETTERS, DELIVERIES, DELIVERY_WORK, PROGRESS, TURN_WORK, TURNS,
};
use proto_schemas::turn::Turn;
use proto_schemas::wire::Wire;
use registry::Manifest;
use runtime::service::{Running, configure, launch};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::backend::FakeBackend;
use testkit::callback::new_secret;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_for, wait_until};
use testkit::nats::NatsServer;
use tokio_util::sync::CancellationToken;
use webhook_caller::WebhookCaller;

use crate::caller::Caller;

/// Where the webhooks of these tests are; without it the policy forbids them.
const LOOPBACK: &str = "127.0.0.1";

/// The caller that runs in the test itself.
pub(crate) const ONLY: &str = "addresses";

pub(crate) struct World {
    server: NatsServer,
    pub(crate) bus: Bus,
    pub(crate) backend: FakeBackend,
    folder: TempDir,
    running: Option<Running>,
    trusted: String,
    /// Ends the service.
    pub(crate) shutdown: CancellationToken,
}

impl World {
    /// Everything but the service.
    pub(crate) async fn new() -> Self {
        let (server, backend) = tokio::join!(NatsServer::start(), FakeBackend::start());
        let (url, name) = (server.url().to_owned(), "test".to_owned());
        let bus = Bus::connect(BusConfig {
            url,
            name,
            replicas: 1,
            ack_wait: None,
        })
        .await
        .unwrap();
        bus.connected().wait_for(|connected| *connected).await.unwrap();
        Box::pin(bus.ensure_topology(OnDifference::Keep)).await.unwrap();
        Self {
            server,
            bus,
            backend,
            folder: tempfile::tempdir().unwrap(),
            running: None,
            trusted: String::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// A world in which the integration `echo` has these settings, and the service runs.
    pub(crate) async fn started(settings: Value) -> Self {
        let mut world = Self::new().await;
        world.configure("echo", settings).await;
        world.start().await;
        world
    }

    /// Stores an integration that leads to the backend.
    pub(crate) async fn configure(&self, id: &str, settings: Value) {
        let mut integration = json!({"id": id, "url": self.backend.url()});
        integration
            .as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let manifest: Manifest = serde_json::from_value(json!({"integrations": [integration]})).unwrap();
        manifest.store(&self.bus).await.unwrap();
    }

    /// A reference to a file with a secret.
    pub(crate) fn secret(&self, label: &str) -> String {
        format!("file:{}", self.file(label, &new_secret(label)))
    }

    /// The path of a file with this text.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Lets the service, once started, trust a certificate besides the system's.
    pub(crate) fn trust(&mut self, certificate: &str) {
        self.trusted = self.file("trusted.pem", certificate);
    }

    /// Launches the service, which may call the loopback interface.
    pub(crate) async fn start(&mut self) {
        self.start_allowing(LOOPBACK).await;
    }

    pub(crate) async fn start_allowing(&mut self, allowed: &str) {
        let (common, own) = configure::<WebhookCaller>(self.variables(ONLY, allowed)).unwrap();
        let launching = launch::<WebhookCaller>(common, own, self.shutdown.clone());
        // Boxed, as all of the bootstrap would be part of every test's future.
        self.running = Box::pin(launching).await.unwrap();
        assert!(self.running.is_some());
    }

    /// Starts one more caller, on a thread of its own.
    pub(crate) async fn join(&self, name: &str) -> Caller {
        Caller::start(self.variables(name, LOOPBACK)).await
    }

    fn variables(&self, name: &str, allowed: &str) -> Vec<(String, String)> {
        let variables = [
            ("NATS_URL", self.server.url().to_owned()),
            ("ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("ADDRESS_FILE", self.address_file(name)),
            ("OUTBOUND_ALLOW", allowed.to_owned()),
            ("OUTBOUND_CA_FILE", self.trusted.clone()),
            ("ATTACHMENTS_SECRET", self.secret("links")),
        ];
        variables.map(|(key, value)| (key.to_owned(), value)).into()
    }

    fn address_file(&self, name: &str) -> String {
        let path = self.folder.path().join(format!("{name}.json"));
        path.to_string_lossy().into_owned()
    }

    /// Ends the broker, and waits until that is noticed.
    pub(crate) async fn lose_broker(&self) {
        self.server.kill();
        let mut connected = self.bus.connected();
        connected.wait_for(|connected| !*connected).await.unwrap();
    }

    /// Starts it again.
    pub(crate) async fn regain_broker(&mut self) {
        self.server.restart().await;
    }

    pub(crate) async fn publish<T: Wire>(&self, subject: String, value: &T, identity: &str) -> Published {
        let message = Outgoing::new(subject, value, identity, TraceContext::new()).unwrap();
        self.bus.publish(message).await.unwrap()
    }

    /// Puts a turn into its slot.
    pub(crate) async fn offer(&self, turn: &Turn) {
        self.publish(subjects::turn(&turn.conversation), turn, turn.id.as_str())
            .await;
    }

    /// Puts a turn into its slot, if the broker takes it.
    pub(crate) async fn try_offer(&self, turn: &Turn) -> bool {
        let (subject, identity) = (subjects::turn(&turn.conversation), turn.id.as_str());
        let message = Outgoing::new(subject, turn, identity, TraceContext::new()).unwrap();
        self.bus.publish(message).await.is_ok()
    }

    /// Puts a turn into its slot as a worker left it that took it and died. Before the service starts.
    pub(crate) async fn offer_again(&self, turn: &Turn) {
        self.offer(turn).await;
        let mut pull = self
            .bus
            .consumer(&TURN_WORK)
            .await
            .unwrap()
            .work(1)
            .await
            .unwrap();
        let work = pull.next().await.unwrap();
        drop(pull);
        work.nak(Duration::ZERO).await.unwrap();
        self.bus.flush().await.unwrap();
    }

    /// Puts a turn into its slot as a killed broker may leave it: its consumer does not know of it. Before the service
    /// starts.
    pub(crate) async fn leave(&self, turn: &Turn) {
        self.server.deliver_once(TURN_WORK.stream, TURN_WORK.name).await;
        self.offer_again(turn).await;
        let consumer = self.bus.consumer(&TURN_WORK).await.unwrap();
        let pull = consumer.work(1).await.unwrap();
        wait_until(PATIENCE, "the consumer to forget the turn", async || {
            self.bus.balance(&TURN_WORK).await.unwrap().unknown == 1
        })
        .await;
        drop(pull);
    }

    pub(crate) async fn is_gone(&self, turn: &Turn) -> bool {
        let slot = subjects::turn(&turn.conversation);
        self.bus.last(TURNS.name, &slot).await.unwrap().is_none()
    }

    pub(crate) async fn wait_until_gone(&self, turn: &Turn) {
        wait_until(PATIENCE, &format!("{} to leave its slot", turn.id), async || {
            self.is_gone(turn).await
        })
        .await;
    }

    pub(crate) async fn context(&self, turn: &Turn) -> Option<Revision<Context>> {
        self.bus.get(&CONTEXTS, turn.conversation.as_str()).await.unwrap()
    }

    /// Writes a context as another worker would.
    pub(crate) async fn commit(&self, context: &Context, revision: u64) -> u64 {
        let key = context.conversation.as_str();
        self.bus
            .compare_and_set(&CONTEXTS, key, revision, context, TraceContext::new())
            .await
            .unwrap()
    }

    pub(crate) async fn delivery(&self, turn: &Turn) -> Option<Delivery> {
        let slot = subjects::delivery(&turn.conversation);
        let found = self.bus.last(DELIVERIES.name, &slot).await.unwrap();
        found.map(|entry| entry.decode().unwrap())
    }

    /// Waits until the delivery's slot holds the outcome of this turn.
    pub(crate) async fn wait_for_delivery(&self, turn: &Turn) -> Delivery {
        wait_for(PATIENCE, &format!("the delivery of {}", turn.id), async || {
            self.delivery(turn)
                .await
                .filter(|delivery| delivery.conclusion.turn == turn.id)
        })
        .await
    }

    /// Frees a delivery's slot as egress does.
    pub(crate) async fn take_delivery(&self) {
        let mut pull = self
            .bus
            .consumer(&DELIVERY_WORK)
            .await
            .unwrap()
            .work(1)
            .await
            .unwrap();
        pull.next().await.unwrap().ack().await.unwrap();
        self.bus.flush().await.unwrap();
    }

    pub(crate) async fn progress(&self, turn: &TurnId) -> Option<TurnProgress> {
        let key = subjects::turn_progress(turn);
        self.bus
            .get(&PROGRESS, &key)
            .await
            .unwrap()
            .map(|found| found.record)
    }

    /// Keeps how far a turn got as a worker before left it.
    pub(crate) async fn keep_progress(&self, turn: &Turn, progress: &TurnProgress) {
        let key = subjects::turn_progress(&turn.id);
        let (identity, trace) = (format!("{key}:before"), TraceContext::new());
        let kept = self.bus.put(&PROGRESS, &key, progress, &identity, trace);
        kept.await.unwrap();
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let found = self
            .bus
            .entries(DEAD_LETTERS.name, "dead-letters.>", 1, 100, 1 << 20)
            .await
            .unwrap();
        found.list.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// The value of a series without labels but the service's, or with those given as `name="value",`.
    pub(crate) async fn count(&self, name: &str, labels: &str) -> u64 {
        self.count_at(ONLY, name, labels).await
    }

    /// How many requests of a kind a caller that joined has made for rates.
    pub(crate) async fn limit_operations(&self, caller: &str, operation: &str) -> u64 {
        let labels = format!("operation=\"{operation}\",");
        self.count_at(caller, "rate_limit_operations_total", &labels)
            .await
    }

    /// The same, of a caller that joined.
    pub(crate) async fn count_at(&self, caller: &str, name: &str, labels: &str) -> u64 {
        let value = self.series_at(caller, name, labels).await;
        value.unwrap_or_else(|| panic!("{caller} has no {name}{{{labels}}}"))
    }

    /// The same; none when there is no such series yet.
    pub(crate) async fn series_at(&self, caller: &str, name: &str, labels: &str) -> Option<u64> {
        let file = std::fs::read(self.address_file(caller)).unwrap();
        let addresses: Value = serde_json::from_slice(&file).unwrap();
        let url = format!("http://{}/metrics", addresses["admin"].as_str().unwrap());
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        let series = format!("chatbot_{name}{{{labels}service=\"webhook-caller\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&series))?;
        Some(value.parse().unwrap())
    }

    /// How many messages the stage has settled so.
    pub(crate) async fn outcomes(&self, outcome: &str) -> u64 {
        self.count("messages_processed_total", &format!("outcome=\"{outcome}\","))
            .await
    }

    pub(crate) async fn late_answers(&self) -> u64 {
        self.count("late_answers_total", "").await
    }
}
