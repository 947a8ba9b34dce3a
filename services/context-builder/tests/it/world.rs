//! A broker and the service launched in this process, as often as a test wants replicas.

use bus::{Bus, BusConfig, Entry, OnDifference, Outgoing, TraceContext, Work, WorkStream};
use context_builder::ContextBuilder;
use domain::conclude;
use proto_schemas::context::{Conclusion, Context};
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::inbox::InboxEntry;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, ConsumerSpec, DEAD_LETTERS, INBOX, INBOX_EVENTS, TURN_WORK, TURNS};
use proto_schemas::turn::Turn;
use registry::Manifest;
use runtime::service::{Running, configure, launch};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;
use tokio_util::sync::CancellationToken;

use crate::samples::conversation;

pub(crate) struct World {
    server: NatsServer,
    pub(crate) bus: Bus,
    folder: TempDir,
    replicas: Vec<Running>,
}

impl World {
    /// A world in which the bot `support` has these settings, and the service runs.
    pub(crate) async fn started(settings: Value) -> Self {
        let mut world = Self::new().await;
        world.configure(settings).await;
        world.start().await;
        world
    }

    /// Everything but the service and the bot.
    pub(crate) async fn new() -> Self {
        let server = NatsServer::start().await;
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
            folder: tempfile::tempdir().unwrap(),
            replicas: Vec::new(),
        }
    }

    /// Stores the bot `support`.
    pub(crate) async fn configure(&self, settings: Value) {
        let mut bot = json!({"id": "support", "name": "Support Bot", "integration": "echo"});
        bot.as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let manifest: Manifest = serde_json::from_value(json!({"bots": [bot]})).unwrap();
        manifest.store(&self.bus).await.unwrap();
    }

    /// Launches a replica of the service.
    pub(crate) async fn start(&mut self) {
        let variables = [
            ("NATS_URL", self.server.url().to_owned()),
            ("ADMIN_LISTEN", "127.0.0.1:0".to_owned()),
            ("ADDRESS_FILE", self.address_file()),
        ];
        let (common, own) =
            configure::<ContextBuilder>(variables.map(|(key, value)| (key.to_owned(), value))).unwrap();
        let launching = launch::<ContextBuilder>(common, own, CancellationToken::new());
        // Boxed, as all of the bootstrap would be part of every test's future.
        self.replicas.push(Box::pin(launching).await.unwrap().unwrap());
    }

    /// Puts a turn into its slot.
    pub(crate) async fn offer(&self, turn: &Turn) {
        let subject = subjects::turn(&turn.conversation);
        let identity = format!("{}:{}", turn.id, turn.context_revision);
        let message = Outgoing::new(subject, turn, &identity, TraceContext::new());
        self.bus.publish(message.unwrap()).await.unwrap();
    }

    /// Lets go of inbox events before a replica sees them.
    pub(crate) async fn drop_inbox_events(&self, count: usize) {
        let mut pull = self
            .bus
            .consumer(&INBOX_EVENTS)
            .await
            .unwrap()
            .work(256)
            .await
            .unwrap();
        for _ in 0..count {
            pull.next().await.unwrap().ack().await.unwrap();
        }
        self.bus.flush().await.unwrap();
    }

    fn address_file(&self) -> String {
        self.folder
            .path()
            .join("addresses.json")
            .to_string_lossy()
            .into_owned()
    }

    /// Appends an entry to the conversation's inbox, and returns its sequence.
    pub(crate) async fn append(&self, entry: &InboxEntry) -> u64 {
        let identity = format!(
            "{}:{}",
            entry.message_id(),
            matches!(entry, InboxEntry::Attached(_))
        );
        self.append_as(entry, &identity).await
    }

    /// As [`World::append`], under an identity that tells it from others of the same message.
    pub(crate) async fn append_as(&self, entry: &InboxEntry, identity: &str) -> u64 {
        let subject = subjects::inbox(&conversation());
        let message = Outgoing::new(subject, entry, identity, TraceContext::new()).unwrap();
        match self.bus.publish(message).await.unwrap() {
            bus::Published::Accepted { sequence } => sequence,
            bus::Published::Duplicate => panic!("{identity} was published before"),
        }
    }

    /// Removes all entries of the conversation's inbox.
    pub(crate) async fn remove_inbox(&self) {
        let mut sequences = Vec::new();
        let subject = subjects::inbox(&conversation());
        let visit = |entry: Entry| sequences.push(entry.sequence);
        self.bus.each(INBOX.name, &subject, 1, visit).await.unwrap();
        for sequence in sequences {
            self.bus.delete(INBOX.name, sequence).await.unwrap();
        }
    }

    /// What lies in a slot.
    pub(crate) async fn slot(&self, stream: &str, subject: &str) -> Option<Entry> {
        self.bus.last(stream, subject).await.unwrap()
    }

    /// The turn in the conversation's slot.
    pub(crate) async fn turn(&self) -> Option<Turn> {
        let found = self.slot(TURNS.name, &subjects::turn(&conversation())).await;
        found.map(|entry| entry.decode().unwrap())
    }

    /// Where turns are taken as webhook-caller does.
    pub(crate) async fn caller(&self) -> Caller {
        Caller {
            pull: self
                .bus
                .consumer(&TURN_WORK)
                .await
                .unwrap()
                .work(1)
                .await
                .unwrap(),
        }
    }

    /// Commits the outcome of a turn.
    pub(crate) async fn commit(&self, turn: &Turn, conclusion: Conclusion) {
        self.write_context(&conclude::next_context(turn, conclusion), turn.context_revision)
            .await;
    }

    pub(crate) async fn write_context(&self, context: &Context, revision: u64) {
        let key = context.conversation.as_str();
        let trace = TraceContext::new();
        self.bus
            .compare_and_set(&CONTEXTS, key, revision, context, trace)
            .await
            .unwrap();
    }

    /// Waits until the service has let go of every event of a consumer.
    pub(crate) async fn wait_until_settled(&self, consumer: &ConsumerSpec) {
        wait_until(
            PATIENCE,
            &format!("{} to be settled", consumer.stream),
            async || {
                let state = self.bus.consumer_state(consumer).await.unwrap();
                (state.pending, state.ack_pending) == (0, 0)
            },
        )
        .await;
    }

    /// How many inbox events are delivered and not let go of.
    pub(crate) async fn parked(&self) -> u64 {
        self.bus.consumer_state(&INBOX_EVENTS).await.unwrap().ack_pending
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let found = self
            .bus
            .entries(DEAD_LETTERS.name, "dead-letters.>", 1, 100, 1 << 20)
            .await
            .unwrap();
        found.list.iter().map(|entry| entry.decode().unwrap()).collect()
    }

    /// How often something was counted: `name` and one label. Of the replica that was launched last.
    pub(crate) async fn count(&self, name: &str, label: &str, value: &str) -> u64 {
        let addresses: Value = serde_json::from_slice(&std::fs::read(self.address_file()).unwrap()).unwrap();
        let url = format!("http://{}/metrics", addresses["admin"].as_str().unwrap());
        let text = client().get(url).send().await.unwrap().text().await.unwrap();
        // Labels are in alphabetical order, and `service` is behind all of ours.
        let series = format!("chatbot_{name}{{{label}=\"{value}\",service=\"context-builder\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&series));
        value
            .unwrap_or_else(|| panic!("no {series} in\n{text}"))
            .parse()
            .unwrap()
    }

    /// How often the slot gave an answer.
    pub(crate) async fn slots(&self, answer: &str) -> u64 {
        self.count("turn_slots_total", "answer", answer).await
    }

    /// How many messages were settled so.
    pub(crate) async fn outcomes(&self, outcome: &str) -> u64 {
        self.count("messages_processed_total", "outcome", outcome).await
    }
}

/// Takes turns out of their slots.
pub(crate) struct Caller {
    pull: WorkStream,
}

impl Caller {
    /// The next turn. Its slot is free when the work is acked.
    pub(crate) async fn next(&mut self) -> (Work, Turn) {
        let next = tokio::time::timeout(PATIENCE, self.pull.next());
        let work = next.await.expect("a turn in time").unwrap();
        let turn = work.decode().unwrap();
        (work, turn)
    }
}
