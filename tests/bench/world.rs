//! A chain with its broker, and everything outside of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use bus::Bus;
use proto_schemas::topology::CONSUMERS;
use serde_json::Value;
use tests::manifest::push_secret;

use crate::bare;
use crate::broker::{Broker, create_topology};
use crate::chain::Chain;
use crate::door::{Door, HttpDoor};
use crate::driver::Driver;
use crate::fakes::{Behaviour, Fake};
use crate::ledger::Ledger;
use crate::pipeline::{
    self, BOTS, Bot, Settings, Setup, UNLIMITED_SENDERS, connection, http_connection, one_of_all,
};
use crate::platforms::{Platform, PlatformKind};
use crate::run::{Run, Window};
use crate::sizes::Sizes;

/// The shortest time for which a chain is driven before it is measured.
const WARM_UP: Duration = Duration::from_secs(3);
/// So many turns fill a context: from then on every turn is as large as the next.
const WARM_TURNS: u32 = 6;
/// A chain that is not warm by then is measured as it is.
const LONGEST_WARM_UP: Duration = Duration::from_secs(60);
/// How long every message that was accepted may wait for its reply when the load has ended.
const PATIENCE: Duration = Duration::from_secs(120);
/// All conversations.
const EVERYBODY: Range<usize> = 0..usize::MAX;
/// Pause between two looks at what cannot be waited for otherwise.
const LOOK: Duration = Duration::from_millis(50);

/// A chain that is ready, with all that it touches.
pub(crate) struct World {
    pub(crate) driver: Rc<Driver>,
    pub(crate) ledger: Rc<Ledger>,
    pub(crate) backend: Fake,
    pub(crate) receiver: Fake,
    pub(crate) bus: Bus,
    // The processes go before their broker, so that they do not log its end.
    pub(crate) chain: Chain,
    pub(crate) broker: Broker,
    _platform: Option<Platform>,
}

/// What lies outside of a chain.
pub(crate) struct Outside {
    pub(crate) ledger: Rc<Ledger>,
    pub(crate) backend: Fake,
    pub(crate) receiver: Fake,
}

impl Outside {
    /// So many conversations, and a webhook that behaves in some way.
    pub(crate) async fn new(conversations: usize, behaviour: Behaviour) -> Self {
        let ledger = Rc::new(Ledger::new(conversations, behaviour.delay));
        Self {
            backend: Fake::backend(behaviour).await,
            receiver: Fake::receiver(Rc::clone(&ledger)).await,
            ledger,
        }
    }
}

impl World {
    /// The platform on an empty broker, with so many conversations.
    pub(crate) async fn platform(conversations: usize, behaviour: Behaviour) -> Self {
        let outside = Outside::new(conversations, behaviour).await;
        Self::platform_on(Broker::start().await, outside, &UNLIMITED_SENDERS).await
    }

    /// The platform on a broker that may hold something already.
    pub(crate) async fn platform_on(broker: Broker, outside: Outside, settings: Settings<'_>) -> Self {
        let bots = vec![Bot::at(outside.backend.url()); BOTS];
        Self::with_bots(broker, outside, &bots, settings, one_of_all).await
    }

    /// The platform with bots of one's own; `bot_of` says which one a conversation belongs to.
    pub(crate) async fn with_bots(
        broker: Broker,
        outside: Outside,
        bots: &[Bot],
        settings: Settings<'_>,
        bot_of: fn(usize) -> usize,
    ) -> Self {
        let url = outside.receiver.url();
        let connect = |number| http_connection(number, &url);
        let (bus, chain, ingress) = start(&broker, bots, &connect, settings).await;
        let door = HttpDoor {
            address: ingress,
            path: Box::new(move |conversation| {
                format!("/v1/channels/{}/messages", connection(bot_of(conversation)))
            }),
            secret: push_secret(),
            idle: RefCell::default(),
        };
        Self::of(broker, bus, chain, Box::new(door), outside)
    }

    /// The platform on an empty broker with so many bots on a chat platform, which conversations take in turns.
    pub(crate) async fn on_platform(kind: PlatformKind, bots: usize, conversations: usize) -> Self {
        let outside = Outside::new(conversations, Behaviour::default()).await;
        let broker = Broker::start().await;
        let platform = Platform::start(kind, bots, &outside.ledger).await;
        let connect = |number| platform.connection(number);
        let bots = vec![Bot::at(outside.backend.url()); bots];
        let (bus, chain, ingress) = start(&broker, &bots, &connect, &UNLIMITED_SENDERS).await;
        let door = Box::new(platform.door(ingress));
        let mut world = Self::of(broker, bus, chain, door, outside);
        world._platform = Some(platform);
        world
    }

    /// The bare chain on an empty broker.
    pub(crate) async fn bare(conversations: usize, sizes: Sizes) -> Self {
        let outside = Outside::new(conversations, Behaviour::default()).await;
        let broker = Broker::start().await;
        let bus = broker.connect().await;
        create_topology(&bus).await;
        let (backend, callback) = (outside.backend.url(), outside.receiver.url());
        let (chain, door) = bare::start(broker.server.url(), &backend, &callback, sizes).await;
        Self::of(broker, bus, chain, Box::new(door), outside)
    }

    fn of(broker: Broker, bus: Bus, chain: Chain, door: Box<dyn Door>, outside: Outside) -> Self {
        Self {
            driver: Driver::new(Rc::clone(&outside.ledger), door),
            ledger: outside.ledger,
            backend: outside.backend,
            receiver: outside.receiver,
            bus,
            chain,
            broker,
            _platform: None,
        }
    }

    /// Drives some conversations in a closed loop, and when they are warm measures for a time.
    pub(crate) async fn saturate(&self, conversations: &[usize], duration: Duration) -> Run {
        during(self.driver.closed_loop(conversations, Duration::ZERO), async {
            self.warm_up(conversations).await;
            self.measure_all(duration).await
        })
        .await
    }

    /// Fills the contexts of some conversations, does something while they are driven still, and waits until the
    /// chain is at rest.
    ///
    /// # Errors
    /// As for [`World::settle`].
    pub(crate) async fn warm<T>(
        &self,
        conversations: &[usize],
        last: impl AsyncFnOnce() -> T,
    ) -> Result<T, String> {
        let load = self.driver.closed_loop(conversations, Duration::ZERO);
        let done = during(load, async {
            self.warm_up(conversations).await;
            last().await
        })
        .await;
        self.settle().await?;
        self.rest().await;
        self.ledger.forget_freed();
        Ok(done)
    }

    /// How large the messages of the platform are at the moment.
    pub(crate) async fn sizes(&self, conversations: &[usize]) -> Sizes {
        Sizes::seen(&self.bus, conversations, &self.backend, &self.receiver).await
    }

    /// Waits until conversations that something drives are warm.
    pub(crate) async fn warm_up(&self, conversations: &[usize]) {
        tokio::time::sleep(WARM_UP).await;
        let warm = async {
            while self.ledger.fewest_replies(conversations) < WARM_TURNS {
                tokio::time::sleep(LOOK).await;
            }
        };
        // Slow as it may be, it is measured; the report says how many turns there were.
        drop(tokio::time::timeout(LONGEST_WARM_UP, warm).await);
    }

    /// Measures for a time what something drives.
    pub(crate) async fn measure_all(&self, duration: Duration) -> Run {
        self.measure(duration, EVERYBODY).await
    }

    /// As [`World::measure_all`], with the latencies and the turns of some conversations only.
    pub(crate) async fn measure(&self, duration: Duration, of: Range<usize>) -> Run {
        let window = Window::open(self, of).await;
        tokio::time::sleep(duration).await;
        window.close(self, duration).await
    }

    /// Waits until every message has its reply.
    ///
    /// # Errors
    /// What is wrong or missing, in words.
    pub(crate) async fn settle(&self) -> Result<(), String> {
        let missing = self.ledger.settle(PATIENCE).await;
        let (count, faults) = self.ledger.faults();
        if missing == 0 && count == 0 {
            return Ok(());
        }
        let (chain, answers) = (self.chain.name, self.driver.answers());
        Err(format!(
            "{chain}: {missing} replies are missing and {count} things were wrong: {faults:?}; {answers:?}"
        ))
    }

    /// Waits until the broker has nothing left to hand out and nothing that is in work.
    pub(crate) async fn rest(&self) {
        while self.backlog().await.values().any(|left| *left > 0) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What each consumer has left to do: not handed out yet, in work, or put off.
    pub(crate) async fn backlog(&self) -> BTreeMap<String, i64> {
        let mut backlog = BTreeMap::new();
        for consumer in &CONSUMERS {
            let state = self
                .bus
                .consumer_state(consumer)
                .await
                .expect("the broker is there");
            let left = i64::try_from(state.pending + state.ack_pending).unwrap_or(i64::MAX);
            backlog.insert(format!("{} of {}", consumer.stream, consumer.name), left);
        }
        backlog
    }
}

/// What something gives that is done while a load goes on, which has no end of its own.
pub(crate) async fn during<T>(load: impl Future<Output = Infallible>, done: impl Future<Output = T>) -> T {
    tokio::select! {
        never = load => match never {},
        done = done => done,
    }
}

/// Starts the platform on a broker; tells where ingress listens.
async fn start(
    broker: &Broker,
    bots: &[Bot],
    connect: &dyn Fn(usize) -> Value,
    settings: Settings<'_>,
) -> (Bus, Chain, SocketAddr) {
    let bus = broker.connect().await;
    create_topology(&bus).await;
    let setup = Setup {
        nats_url: broker.server.url(),
        bots,
        connect,
        settings,
    };
    let (chain, ingress) = pipeline::start(&bus, setup).await;
    (bus, chain, ingress)
}
