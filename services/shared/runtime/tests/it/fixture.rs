//! A broker with the topology, a note that travels on it, and a stage that does as its script says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::{Bus, BusConfig, ConsumerState, OnDifference, Outgoing, TraceContext, Work};
use proto_schemas::dead_letter::{DeadLetter, Stage as Name};
use proto_schemas::ids::UnixMillis;
use proto_schemas::topology::{DEAD_LETTERS, TURN_WORK, TURNS};
use proto_schemas::wire::{DecodeError, Wire};
use runtime::health::Health;
use runtime::lease::Lease;
use runtime::metrics::{Metrics, StageMetrics};
use runtime::runner::{Fatal, Runner};
use runtime::stage::{self, GiveUp, Job, Outcome, Stage};
use runtime::task::Tasks;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Permits that let everything pass.
const OPEN: usize = 1 << 20;

/// What the stage takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Note {
    pub(crate) text: String,
}

impl Wire for Note {
    const TYPE: &'static str = "note.v1";
}

/// A broker and a connection to it.
pub(crate) struct World {
    pub(crate) server: NatsServer,
    pub(crate) bus: Bus,
    pub(crate) metrics: Metrics,
    stage_metrics: StageMetrics,
}

impl World {
    pub(crate) async fn new(ack_wait: Option<Duration>) -> Self {
        let server = NatsServer::start().await;
        let bus = connect(&server, ack_wait).await;
        let metrics = Metrics::new(Name::Egress.as_str()).unwrap();
        let stage_metrics = StageMetrics::new(&metrics).unwrap();
        Self {
            server,
            bus,
            metrics,
            stage_metrics,
        }
    }

    /// Kills the broker and waits until that is noticed.
    pub(crate) async fn lose_broker(&self) {
        self.server.kill();
        let mut connected = self.bus.connected();
        connected.wait_for(|connected| !*connected).await.unwrap();
    }

    /// Starts the broker again and waits until that is noticed.
    pub(crate) async fn restart_broker(&mut self) {
        self.server.restart().await;
        let mut connected = self.bus.connected();
        connected.wait_for(|connected| *connected).await.unwrap();
    }

    /// Runs a stage on `TURNS`.
    pub(crate) fn run(&self, stage: &Arc<Scripted>, concurrency: usize) -> Started {
        let shutdown = CancellationToken::new();
        let runner = Runner {
            stage: Arc::clone(stage),
            name: Name::WebhookCaller,
            consumer: TURN_WORK,
            concurrency,
            bus: self.bus.clone(),
            metrics: self.stage_metrics.clone(),
            pulse: Health::new(&Metrics::new("pulse").unwrap())
                .unwrap()
                .pulse(TURNS.name),
            shutdown: shutdown.clone(),
        };
        let (tasks, _deaths) = Tasks::new(shutdown.clone());
        Started {
            running: tasks.owned(runner.run()),
            shutdown,
        }
    }

    pub(crate) async fn publish(&self, text: &str) {
        publish(&self.bus, &subject(text), text).await;
    }

    /// Puts bytes into a slot, with headers as they are.
    pub(crate) async fn publish_raw(
        &self,
        slot: &str,
        payload: impl Into<bytes::Bytes>,
        headers: &[(&str, &str)],
    ) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let message = Outgoing::raw(subject(slot), payload.into(), slot, headers);
        self.bus.publish(message).await.unwrap();
    }

    pub(crate) async fn is_gone(&self, slot: &str) -> bool {
        self.bus
            .last(TURNS.name, &subject(slot))
            .await
            .is_ok_and(|found| found.is_none())
    }

    pub(crate) async fn wait_until_gone(&self, slot: &str) {
        wait_until(PATIENCE, &format!("{slot} to leave the stream"), async || {
            self.is_gone(slot).await
        })
        .await;
    }

    pub(crate) async fn state(&self) -> ConsumerState {
        self.bus.consumer_state(&TURN_WORK).await.unwrap()
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        dead_letters(&self.bus).await
    }

    /// The value of a series of the runner's.
    pub(crate) fn count(&self, series: &str) -> String {
        let text = self.metrics.render().unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {series} in\n{text}"))
            .to_owned()
    }

    pub(crate) fn outcomes(&self, outcome: &str) -> String {
        self.count(&format!(
            "chatbot_messages_processed_total{{outcome=\"{outcome}\",service=\"egress\"}}"
        ))
    }
}

pub(crate) async fn connect(server: &NatsServer, ack_wait: Option<Duration>) -> Bus {
    let (url, name) = (server.url().to_owned(), "test".to_owned());
    let bus = Bus::connect(BusConfig {
        url,
        name,
        replicas: 1,
        ack_wait,
    })
    .await
    .unwrap();
    bus.connected().wait_for(|connected| *connected).await.unwrap();
    bus.ensure_topology(OnDifference::Keep).await.unwrap();
    bus
}

pub(crate) fn subject(slot: &str) -> String {
    format!("turns.{slot}")
}

pub(crate) async fn publish(bus: &Bus, subject: &str, text: &str) {
    let note = Note {
        text: text.to_owned(),
    };
    let message = Outgoing::new(subject.to_owned(), &note, text, TraceContext::new()).unwrap();
    bus.publish(message).await.unwrap();
}

async fn dead_letters(bus: &Bus) -> Vec<DeadLetter> {
    let found = bus
        .entries(DEAD_LETTERS.name, "dead-letters.>", 1, 100, 1 << 20)
        .await
        .unwrap();
    found.list.iter().map(|entry| entry.decode().unwrap()).collect()
}

/// A runner that runs.
pub(crate) struct Started {
    pub(crate) running: JoinHandle<Result<(), Fatal>>,
    pub(crate) shutdown: CancellationToken,
}

impl Started {
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.unwrap().unwrap();
    }
}

/// One look of the stage at a message.
#[derive(Debug, Clone)]
pub(crate) struct Handled {
    pub(crate) text: String,
    pub(crate) delivered: u64,
    pub(crate) at: Instant,
    /// Its claim on the message.
    pub(crate) lease: Lease,
}

type Script = Box<dyn Fn(&Handled) -> Outcome + Send + Sync>;
type Afterwards = Box<dyn Fn(usize) -> Outcome + Send + Sync>;

/// A stage with a script. While its gate is closed it keeps what it takes.
pub(crate) struct Scripted {
    script: Script,
    afterwards: Afterwards,
    gate: Semaphore,
    bus: Bus,
    handled: Mutex<Vec<Handled>>,
    letters_at_given_up: Mutex<Vec<usize>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Scripted {
    /// A stage whose `handle` answers with what `script` makes of a look.
    pub(crate) fn new(
        world: &World,
        script: impl Fn(&Handled) -> Outcome + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self::open(world, script))
    }

    /// As [`Scripted::new`]; `afterwards` answers `given_up`, told how often it was asked.
    pub(crate) fn with_afterwards(
        world: &World,
        script: impl Fn(&Handled) -> Outcome + Send + Sync + 'static,
        afterwards: impl Fn(usize) -> Outcome + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            afterwards: Box::new(afterwards),
            ..Self::open(world, script)
        })
    }

    /// As [`Scripted::new`], with its gate closed.
    pub(crate) fn holding(
        world: &World,
        script: impl Fn(&Handled) -> Outcome + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            gate: Semaphore::new(0),
            ..Self::open(world, script)
        })
    }

    fn open(world: &World, script: impl Fn(&Handled) -> Outcome + Send + Sync + 'static) -> Self {
        Self {
            script: Box::new(script),
            afterwards: Box::new(|_| Outcome::Done),
            gate: Semaphore::new(OPEN),
            bus: world.bus.clone(),
            handled: Mutex::default(),
            letters_at_given_up: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    pub(crate) fn release(&self) {
        self.gate.add_permits(OPEN);
    }

    pub(crate) fn handled(&self) -> Vec<Handled> {
        self.handled.lock().unwrap().clone()
    }

    /// How often each text was handled.
    pub(crate) fn tally(&self) -> BTreeMap<String, usize> {
        self.handled()
            .into_iter()
            .fold(BTreeMap::new(), |mut tally, handled| {
                *tally.entry(handled.text).or_default() += 1;
                tally
            })
    }

    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Handled> {
        let what = format!("the stage's look number {count}");
        wait_until(PATIENCE, &what, async || self.handled().len() >= count).await;
        self.handled()
    }

    /// How many dead letters there were at each call of `given_up`.
    pub(crate) fn letters_at_given_up(&self) -> Vec<usize> {
        self.letters_at_given_up.lock().unwrap().clone()
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.most_in_flight.load(Ordering::Relaxed)
    }
}

impl Stage for Scripted {
    type Input = Note;

    fn decode(&self, work: &Work) -> Result<Option<Note>, DecodeError> {
        stage::decode(work)
    }

    async fn handle(&self, note: &Note, job: &Job) -> Outcome {
        let handled = Handled {
            text: note.text.clone(),
            delivered: job.delivered,
            at: Instant::now(),
            lease: job.lease.clone(),
        };
        self.handled.lock().unwrap().push(handled.clone());
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::Relaxed);
        drop(self.gate.acquire().await.unwrap());
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        (self.script)(&handled)
    }

    async fn given_up(&self, _note: &Note, _give_up: &GiveUp, _job: &Job) -> Outcome {
        let letters = dead_letters(&self.bus).await.len();
        let asked = {
            let mut seen = self.letters_at_given_up.lock().unwrap();
            seen.push(letters);
            seen.len()
        };
        (self.afterwards)(asked)
    }

    fn accepted_at(&self, _note: &Note) -> Option<UnixMillis> {
        Some(runtime::clock::now())
    }
}
