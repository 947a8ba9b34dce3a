//! Everything that a run needs, from its start to its last reply.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::topology::{
    CONSUMERS, DEAD_LETTERS, DELIVERIES, DELIVERY_WORK, FETCH_WORK, FETCHES, TURN_WORK, TURNS,
};
use registry::Manifest;
use serde_json::{Value, json};
use testkit::backend::FakeBackend;
use testkit::callback::CallbackReceiver;
use testkit::condition::PATIENCE;
use testkit::discord::{FakeDiscord, FakeGateway};
use testkit::middleman::{Middleman, Passing};
use testkit::nats::{NatsCluster, NatsServer};
use testkit::process::Namespace;
use testkit::proxy::Proxy;
use testkit::slack::FakeSlack;
use testkit::telegram::FakeTelegram;
use tests::broker::{connect_to, is_idle, stored};
use tests::fleet::{Fleet, environment};
use tests::manifest::{
    DISCORD_TOKEN, SLACK_TOKEN, TELEGRAM_TOKEN, bot, callback_secret, discord_app, http, integration,
    slack_app, telegram_bot,
};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::backend::{Backend, Manners, TIMEOUT};
use crate::history::{Disturbance, History};
use crate::injector::{Injector, Outside};
use crate::ledger::Ledger;
use crate::plan::Planned;
use crate::users::{self, COLLECT, DISCORD, PHOTO, SLACK, TELEGRAM, User, WEB, Workload};

/// How often the broker is asked whether all is done.
const LOOK: Duration = Duration::from_millis(100);

/// One world at a time: what goes wrong in one must not be due to another's hunger.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What is done to requests on their way.
type Tamper = Box<dyn FnMut(Passing) -> Vec<Passing> + Send>;

/// What the broker is.
#[derive(Debug, Clone, Copy)]
enum Nodes {
    /// One server.
    One,
    /// Three, with three copies of every stream.
    Three,
}

impl Nodes {
    /// Starts them; tells their addresses and how many copies of a stream they keep.
    async fn start(self) -> (Vec<NatsServer>, String, u8) {
        match self {
            Self::One => {
                let nats = NatsServer::start().await;
                let url = nats.url().to_owned();
                (vec![nats], url, 1)
            }
            Self::Three => {
                let cluster = NatsCluster::start().await;
                let url = cluster.url();
                (cluster.into_nodes(), url, 3)
            }
        }
    }
}

/// How a world is made.
pub(crate) struct Setup {
    seed: u64,
    replicas: usize,
    /// Nodes of the broker: one behind a proxy, or a cluster.
    nodes: Nodes,
    namespace: Namespace,
    manners: Manners,
    before_callback: Option<Tamper>,
    before_webhook: Option<Tamper>,
}

impl Setup {
    /// Several processes of each service, and a flaky webhook.
    pub(crate) fn flaky(seed: u64, replicas: usize) -> Self {
        Self {
            seed,
            replicas,
            nodes: Nodes::One,
            namespace: Namespace::Shared,
            manners: Manners::Flaky,
            before_callback: None,
            before_webhook: None,
        }
    }

    /// One process of each service, and nothing that goes wrong by itself.
    pub(crate) fn calm() -> Self {
        Self {
            manners: Manners::Good,
            ..Self::flaky(1, 1)
        }
    }

    /// The broker is a cluster.
    pub(crate) fn on_a_cluster(mut self) -> Self {
        self.nodes = Nodes::Three;
        self
    }

    /// Each process of a service is the first of a namespace, as in a container, if this machine lets us make such.
    pub(crate) fn in_containers(mut self) -> Self {
        self.namespace = Namespace::own_if_allowed();
        self
    }

    /// Tampers with what goes to the callback.
    pub(crate) fn before_callback(
        mut self,
        tamper: impl FnMut(Passing) -> Vec<Passing> + Send + 'static,
    ) -> Self {
        self.before_callback = Some(Box::new(tamper));
        self
    }

    /// Tampers with what goes to the webhook.
    pub(crate) fn before_webhook(
        mut self,
        tamper: impl FnMut(Passing) -> Vec<Passing> + Send + 'static,
    ) -> Self {
        self.before_webhook = Some(Box::new(tamper));
        self
    }
}

/// The services, their broker, and all that lies outside.
pub(crate) struct World {
    injector: Injector,
    bus: Bus,
    ledger: Arc<Ledger>,
    gateway: Arc<FakeGateway>,
    _backend: FakeBackend,
    _middlemen: Vec<Middleman>,
    _alone: MutexGuard<'static, ()>,
}

/// What is left of a run when it is over.
pub(crate) struct Run {
    /// Every conversation.
    pub(crate) histories: Vec<History>,
    /// What was broken.
    pub(crate) disturbances: Vec<Disturbance>,
    /// What must not be, and belongs to no conversation.
    pub(crate) strangers: Vec<String>,
    /// What was given up.
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// How long the work went on after everything was mended and the last user had written.
    pub(crate) aftermath: Duration,
    /// What every process wrote.
    pub(crate) logs: BTreeMap<String, String>,
}

impl World {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn start(setup: Setup) -> Self {
        let alone = ALONE.lock().await;
        let (nodes, url, copies) = setup.nodes.start().await;
        let proxy = Proxy::start(nodes[0].address()).await;
        let backend = FakeBackend::start().await;
        let callbacks = CallbackReceiver::start(&callback_secret()).await;
        let telegram = FakeTelegram::start(TELEGRAM_TOKEN).await;
        telegram.add_file(PHOTO, vec![0xff, 0xd8, 0xff, 0xe0]);
        let slack = FakeSlack::start(SLACK_TOKEN).await;
        let discord = FakeDiscord::start(DISCORD_TOKEN).await;
        let gateway = FakeGateway::start(DISCORD_TOKEN).await;
        let mut middlemen = Vec::new();
        let callback_url = via(setup.before_callback, callbacks.url(), &mut middlemen).await;
        let webhook_url = via(setup.before_webhook, backend.url(), &mut middlemen).await;
        // Past the proxy: what is asked of the broker is the truth.
        let bus = connect_to(&url, copies.into()).await;
        let mut manifest = manifest(&webhook_url, &callback_url);
        let mut in_discord = discord_app(DISCORD, "each", &discord.api_base());
        in_discord["channel"]["discord"]["gateway"] = json!({ "url": gateway.url() });
        manifest["connections"].as_array_mut().unwrap().extend([
            telegram_bot(TELEGRAM, "each", &telegram.api_base()),
            slack_app(SLACK, "each", &slack.api_base()),
            in_discord,
        ]);
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        manifest.store(&bus).await.unwrap();
        let way = match setup.nodes {
            Nodes::One => format!("nats://{}", proxy.address()),
            Nodes::Three => url,
        };
        let copies = copies.to_string();
        let env = environment(&way, &[("GATEWAY_LEASE", "3s"), ("NATS_REPLICAS", &copies)]);
        let fleet = Fleet::start_in(setup.namespace, env, setup.replicas).await;
        let ledger = Ledger::new();
        let webhook = Arc::new(Backend::new(setup.seed, setup.manners, Arc::clone(&ledger)));
        let script = Arc::clone(&webhook);
        backend.respond_with(move |call| script.answer(call));
        let injector = Injector::new(
            fleet,
            nodes,
            proxy,
            Outside {
                callbacks,
                telegram,
                slack,
                discord,
            },
            webhook,
            Arc::clone(&ledger),
        );
        injector.publish_addresses();
        gateway.wait_for_session().await;
        Self {
            injector,
            bus,
            ledger,
            gateway: Arc::new(gateway),
            _backend: backend,
            _middlemen: middlemen,
            _alone: alone,
        }
    }

    /// Lets users write while things break, mends everything, and waits until all is quiet.
    pub(crate) async fn run(mut self, plan: &[Planned], workload: &Workload) -> Run {
        let mut watchers = JoinSet::new();
        let (ledger, outside) = (Arc::clone(&self.ledger), Arc::clone(&self.injector.outside));
        watchers.spawn(async move {
            tokio::join!(
                ledger.watch_callbacks(&outside.callbacks),
                ledger.watch_telegram(&outside.telegram),
                ledger.watch_slack(&outside.slack),
                ledger.watch_discord(&outside.discord),
            );
        });

        let end = Instant::now() + workload.lasts.unwrap_or_default();
        let users = users::users(
            workload,
            &self.ledger,
            &self.injector.ingress.subscribe(),
            &self.gateway,
        );
        let mut writing: JoinSet<()> = users.into_iter().map(User::live).collect();
        self.injector.run(plan).await;
        self.injector.look_after(end).await;
        self.until("every process to be ready", async |world: &mut Self| {
            world.injector.all_ready().await
        })
        .await;
        self.until("every user to end", async |world: &mut Self| {
            world.injector.look_after(Instant::now() + LOOK).await;
            while let Some(ended) = writing.try_join_next() {
                ended.unwrap();
            }
            writing.is_empty()
        })
        .await;
        let mended = Instant::now();
        self.until("all to be quiet", async |world: &mut Self| world.is_quiet().await)
            .await;
        self.finish(mended.elapsed()).await
    }

    /// Waits for something that must be; what is not so in time is written down.
    async fn until(&mut self, what: &str, mut is_so: impl AsyncFnMut(&mut Self) -> bool) {
        let waiting = async { while !is_so(self).await {} };
        if timeout(PATIENCE, waiting).await.is_err() {
            self.ledger.strange(format!("waited in vain for {what}"));
        }
    }

    /// Whether nothing is left to do, and all that was shown is written down. The consumers are asked one after
    /// the other, and work may move on meanwhile: look twice.
    async fn is_quiet(&mut self) -> bool {
        self.injector.look_after(Instant::now() + LOOK).await;
        if !is_idle(&self.bus).await || !is_idle(&self.bus).await {
            return false;
        }
        for slots in [TURN_WORK, FETCH_WORK, DELIVERY_WORK] {
            if self
                .bus
                .balance(&slots)
                .await
                .map_or(1, |balance| balance.unknown)
                > 0
            {
                return false;
            }
        }
        let Outside {
            callbacks,
            telegram,
            slack,
            discord,
        } = &*self.injector.outside;
        let shown =
            callbacks.received().len() + telegram.sent().len() + slack.sent().len() + discord.sent().len();
        self.ledger.shown() == shown
    }

    async fn finish(mut self, aftermath: Duration) -> Run {
        for stream in [TURNS, FETCHES, DELIVERIES] {
            let left = stored(&self.bus, stream.name, ">").await.len();
            if left > 0 {
                self.ledger.strange(format!("{} still holds {left}", stream.name));
            }
        }
        for consumer in &CONSUMERS {
            let state = self.bus.consumer_state(consumer).await.unwrap();
            if state.pending + state.ack_pending > 0 {
                let (stream, name) = (consumer.stream, consumer.name);
                self.ledger
                    .strange(format!("{name} has not done with {stream}: {state:?}"));
            }
        }
        let refusals = self.injector.outside.callbacks.refusals();
        if !refusals.is_empty() {
            self.ledger.strange(format!("unsigned replies: {refusals:?}"));
        }
        let dead_letters = stored(&self.bus, DEAD_LETTERS.name, "dead-letters.>").await;
        Run {
            histories: self.ledger.histories(),
            disturbances: self.ledger.disturbances(),
            strangers: self.ledger.strangers(),
            dead_letters: dead_letters.iter().map(|entry| entry.decode().unwrap()).collect(),
            aftermath,
            logs: self.injector.logs(),
        }
    }
}

/// The address by which `target` is reached, through a middleman if there is tampering to do.
async fn via(tamper: Option<Tamper>, target: String, middlemen: &mut Vec<Middleman>) -> String {
    let Some(tamper) = tamper else {
        return target;
    };
    let middleman = Middleman::start(&target, tamper).await;
    let url = middleman.url();
    middlemen.push(middleman);
    url
}

/// All but the connections of the platforms.
fn manifest(webhook_url: &str, callback_url: &str) -> Value {
    // The whole conversation, always, and patience without end: what a run gives up it was asked to.
    let whole = || json!({ "context": { "max_messages": 200, "max_bytes": 256 * 1024 } });
    let webhook = json!({
        "timeout": humantime::format_duration(TIMEOUT).to_string(),
        "retry": { "attempts": 100, "max_age": "3h" },
        // Short pauses: a run is to see many of them.
        "limits": { "breaker": { "pause": "2s" } },
    });
    // Two integrations, one webhook behind them: the conversation is the same whoever is asked.
    let mut each = whole();
    each["integration"] = Value::Null;
    each["split"] = json!({ "by": "message", "arms": [
        { "integration": "webhook", "weight": 2 },
        { "integration": "other", "weight": 1 },
    ] });
    json!({
        "integrations": [
            integration("webhook", webhook_url, webhook.clone()),
            integration("other", webhook_url, webhook),
        ],
        "bots": [
            bot("each", "webhook", "queue", each),
            bot("together", "webhook", "coalesce", whole()),
        ],
        "connections": [
            http(WEB, "each", callback_url),
            http(COLLECT, "together", callback_url),
        ],
    })
}
