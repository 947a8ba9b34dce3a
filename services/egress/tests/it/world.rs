//! A broker, all channels' platforms, and the service launched in this process.

use std::time::Duration;

use bus::{Bus, BusConfig, OnDifference, Outgoing, TraceContext};
use bytes::Bytes;
use egress::Egress;
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::delivery::Delivery;
use proto_schemas::progress::{DeliveryProgress, FilesProgress, OutgoingFile};
use proto_schemas::subjects;
use proto_schemas::topology::{DEAD_LETTERS, DELIVERIES, DELIVERY_WORK, PROGRESS, TRANSCRIPTS};
use proto_schemas::transcript::Transcript;
use proto_schemas::wire::Wire;
use registry::Manifest;
use runtime::service::{Running, configure, launch};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::callback::{CallbackReceiver, new_secret};
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::discord::{APPLICATION, FakeDiscord, PUBLIC_KEY};
use testkit::nats::NatsServer;
use testkit::slack::FakeSlack;
use testkit::telegram::FakeTelegram;
use tokio_util::sync::CancellationToken;

use crate::samples::{stored, with_file};

const TOKEN: &str = "123456:token";
const SLACK_TOKEN: &str = "xoxb-token";
const DISCORD_TOKEN: &str = "MTQ1.token";
/// Where links to files lead.
pub(crate) const FILES_URL: &str = "https://bot.example/files";

pub(crate) struct World {
    server: NatsServer,
    pub(crate) bus: Bus,
    pub(crate) callback: CallbackReceiver,
    pub(crate) telegram: FakeTelegram,
    pub(crate) slack: FakeSlack,
    pub(crate) discord: FakeDiscord,
    folder: TempDir,
    /// One or more processes of the service.
    running: Vec<Running>,
}

impl World {
    /// A world in which the service runs and gives up as late as it does by default.
    pub(crate) async fn started() -> Self {
        let mut world = Self::new().await;
        world.start(&[]).await;
        world
    }

    /// A world in which the service gives up at this failed attempt, however soon it comes.
    pub(crate) async fn giving_up_at(attempts: u32) -> Self {
        let mut world = Self::new().await;
        world
            .start(&[("SEND_ATTEMPTS", &attempts.to_string()), ("SEND_MAX_AGE", "0s")])
            .await;
        world
    }

    /// Everything but the service. The connections `web`, `tg`, `tg-once`, `slack` and `discord` are configured.
    pub(crate) async fn new() -> Self {
        let (server, telegram) = tokio::join!(NatsServer::start(), FakeTelegram::start(TOKEN));
        let callback = CallbackReceiver::start(&new_secret("callback")).await;
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
        let folder = tempfile::tempdir().unwrap();
        let world = Self {
            server,
            bus,
            callback,
            telegram,
            slack: FakeSlack::start(SLACK_TOKEN).await,
            discord: FakeDiscord::start(DISCORD_TOKEN).await,
            folder,
            running: Vec::new(),
        };
        world.configure("web", world.http_channel()).await;
        let token = world.secret("token", TOKEN);
        let telegram = json!({"telegram": {"token": token, "webhook_secret": token, "api_base": world.telegram.api_base()}});
        world.configure("tg", telegram).await;
        let telegram = json!({"telegram": {"token": token, "webhook_secret": token, "api_base": world.telegram.api_base(),
            "unknown_outcome": "give_up"}});
        world.configure("tg-once", telegram).await;
        let token = world.secret("slack", SLACK_TOKEN);
        let slack =
            json!({"slack": {"token": token, "signing_secret": token, "api_base": world.slack.api_base()}});
        world.configure("slack", slack).await;
        let token = world.secret("discord", DISCORD_TOKEN);
        let discord = json!({"discord": {
            "token": token, "application_id": APPLICATION, "public_key": PUBLIC_KEY,
            "api_base": world.discord.api_base(),
        }});
        world.configure("discord", discord).await;
        world
    }

    /// The HTTP channel whose callback is the receiver's.
    pub(crate) fn http_channel(&self) -> Value {
        let secret = self.secret("callback", &new_secret("callback"));
        json!({"http": {"secrets": [secret], "callback_url": self.callback.url(), "callback_secret": secret}})
    }

    /// Stores a connection.
    pub(crate) async fn configure(&self, id: &str, channel: Value) {
        let connection = json!({"id": id, "bot": "support", "channel": channel});
        let manifest: Manifest = serde_json::from_value(json!({"connections": [connection]})).unwrap();
        manifest.store(&self.bus).await.unwrap();
    }

    fn secret(&self, name: &str, value: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, value).unwrap();
        format!("file:{}", path.display())
    }

    /// Launches the service, once more if it runs already.
    pub(crate) async fn start(&mut self, more: &[(&str, &str)]) {
        let mut variables = vec![
            ("NATS_URL".to_owned(), self.server.url().to_owned()),
            ("ADMIN_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
            ("ADDRESS_FILE".to_owned(), self.address_file()),
            ("OUTBOUND_ALLOW".to_owned(), "127.0.0.1".to_owned()),
            ("ATTACHMENTS_URL".to_owned(), FILES_URL.to_owned()),
            (
                "ATTACHMENTS_SECRET".to_owned(),
                self.secret("links", "signing key"),
            ),
        ];
        variables.extend(
            more.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        let (common, own) = configure::<Egress>(variables).unwrap();
        let launching = launch::<Egress>(common, own, CancellationToken::new());
        // Boxed, as all of the bootstrap would be part of every test's future.
        self.running.push(Box::pin(launching).await.unwrap().unwrap());
    }

    fn address_file(&self) -> String {
        self.folder
            .path()
            .join("addresses.json")
            .to_string_lossy()
            .into_owned()
    }

    pub(crate) async fn publish<T: Wire>(&self, subject: String, value: &T) {
        let trace = TraceContext::new();
        let message = Outgoing::new(subject, value, &trace.trace_id(), trace).unwrap();
        self.bus.publish(message).await.unwrap();
    }

    /// Writes a record into `progress`.
    pub(crate) async fn keep<T: Wire>(&self, key: &str, record: &T) {
        let trace = TraceContext::new();
        self.bus
            .put(&PROGRESS, key, record, &trace.trace_id(), trace)
            .await
            .unwrap();
    }

    /// The same delivery with a file that lies in the object store.
    pub(crate) async fn with_stored_file(&self, delivery: Delivery, content: &'static [u8]) -> Delivery {
        let (delivery, file) = (with_file(delivery), stored(content.len()));
        let bytes = Bytes::from_static(content);
        let storing = self.bus.store_file(&file.key, &bytes);
        storing.await.unwrap();
        let files = vec![OutgoingFile::Stored(file)];
        let key = subjects::files_progress(&delivery.conclusion.turn);
        self.keep(&key, &FilesProgress { files }).await;
        delivery
    }

    /// Puts a delivery into its slot.
    pub(crate) async fn offer(&self, delivery: &Delivery) {
        self.publish(subjects::delivery(&delivery.conversation), delivery)
            .await;
    }

    /// Puts a delivery into its slot as a worker left it that took it and died. Before the service starts.
    pub(crate) async fn offer_again(&self, delivery: &Delivery) {
        self.offer(delivery).await;
        let mut pull = self
            .bus
            .consumer(&DELIVERY_WORK)
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

    /// Puts a delivery into its slot as a killed broker may leave it: its consumer does not know of it. Before the service
    /// starts.
    pub(crate) async fn leave(&self, delivery: &Delivery) {
        self.server
            .deliver_once(DELIVERY_WORK.stream, DELIVERY_WORK.name)
            .await;
        self.offer_again(delivery).await;
        let consumer = self.bus.consumer(&DELIVERY_WORK).await.unwrap();
        let pull = consumer.work(1).await.unwrap();
        wait_until(PATIENCE, "the consumer to forget the delivery", async || {
            self.bus.balance(&DELIVERY_WORK).await.unwrap().unknown == 1
        })
        .await;
        drop(pull);
    }

    pub(crate) async fn is_gone(&self, delivery: &Delivery) -> bool {
        let slot = subjects::delivery(&delivery.conversation);
        self.bus.last(DELIVERIES.name, &slot).await.unwrap().is_none()
    }

    pub(crate) async fn wait_until_gone(&self, delivery: &Delivery) {
        let what = format!("the delivery of {} to leave its slot", delivery.conclusion.turn);
        wait_until(PATIENCE, &what, async || self.is_gone(delivery).await).await;
    }

    /// What was written down of the conversation, oldest first.
    pub(crate) async fn transcripts(&self, delivery: &Delivery) -> Vec<Transcript> {
        let subject = subjects::transcript(&delivery.conversation);
        let found = self
            .bus
            .entries(TRANSCRIPTS.name, &subject, 1, 100, 1 << 20)
            .await
            .unwrap();
        found.list.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// Waits until the delivery is settled, and returns its transcript, which must be the only one.
    pub(crate) async fn conclude(&self, delivery: &Delivery) -> Transcript {
        self.wait_until_gone(delivery).await;
        let mut transcripts = self.transcripts(delivery).await;
        assert_eq!(transcripts.len(), 1, "{transcripts:?}");
        transcripts.remove(0)
    }

    pub(crate) async fn progress(&self, delivery: &Delivery) -> Option<DeliveryProgress> {
        let key = subjects::delivery_progress(&delivery.conclusion.turn, delivery.replay);
        self.bus
            .get(&PROGRESS, &key)
            .await
            .unwrap()
            .map(|found| found.record)
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let found = self
            .bus
            .entries(DEAD_LETTERS.name, "dead-letters.>", 1, 100, 1 << 20)
            .await
            .unwrap();
        found.list.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// How many messages the stage has settled so.
    pub(crate) async fn outcomes(&self, outcome: &str) -> u64 {
        let addresses: Value = serde_json::from_slice(&std::fs::read(self.address_file()).unwrap()).unwrap();
        let url = format!("http://{}/metrics", addresses["admin"].as_str().unwrap());
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        let series = format!("chatbot_messages_processed_total{{outcome=\"{outcome}\",service=\"egress\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&series));
        value
            .unwrap_or_else(|| panic!("no {series} in\n{text}"))
            .parse()
            .unwrap()
    }
}
