//! Breaks things as planned, mends them again, and watches for processes that end by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proto_schemas::dead_letter::Stage;
use serde_json::Value;
use testkit::callback::CallbackReceiver;
use testkit::discord::{Endpoint, FakeDiscord};
use testkit::gate::Gate;
use testkit::nats::NatsServer;
use testkit::proxy::Proxy;
use testkit::slack::FakeSlack;
use testkit::telegram::FakeTelegram;
use tests::fleet::{DRAIN_DEADLINE, Fleet};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::backend::Backend;
use crate::ledger::Ledger;
use crate::plan::{Fault, Planned};

/// How often the injector looks after the processes.
const ROUND: Duration = Duration::from_millis(50);

/// Where replies go.
pub(crate) struct Outside {
    pub(crate) callbacks: CallbackReceiver,
    pub(crate) telegram: FakeTelegram,
    pub(crate) slack: FakeSlack,
    pub(crate) discord: FakeDiscord,
}

/// What can be broken, and where it is written down.
pub(crate) struct Injector {
    // The services go before their broker, so that they do not log its end.
    fleet: Fleet,
    nodes: Vec<NatsServer>,
    /// The way to the first node.
    proxy: Proxy,
    pub(crate) outside: Arc<Outside>,
    webhook: Arc<Backend>,
    ledger: Arc<Ledger>,
    /// Where the processes of ingress listen now; users follow it.
    pub(crate) ingress: watch::Sender<Vec<SocketAddr>>,
    /// Processes that are down on purpose.
    down: BTreeSet<(Stage, usize)>,
    stall: Option<Gate>,
}

/// A fault begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Begins,
    Ends,
}

impl Injector {
    /// Takes over what runs.
    pub(crate) fn new(
        fleet: Fleet,
        nodes: Vec<NatsServer>,
        proxy: Proxy,
        outside: Outside,
        webhook: Arc<Backend>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self {
            fleet,
            nodes,
            proxy,
            outside: Arc::new(outside),
            webhook,
            ledger,
            ingress: watch::Sender::new(Vec::new()),
            down: BTreeSet::new(),
            stall: None,
        }
    }

    /// Carries the plan out, to the end of its last fault.
    pub(crate) async fn run(&mut self, plan: &[Planned]) {
        let began = Instant::now();
        let mut steps: Vec<(Duration, Edge, usize)> = Vec::new();
        for (index, planned) in plan.iter().enumerate() {
            steps.push((planned.at, Edge::Begins, index));
            steps.push((planned.ends(), Edge::Ends, index));
        }
        steps.sort();
        for (at, edge, index) in steps {
            self.look_after(began + at).await;
            let fault = plan[index].fault;
            match edge {
                Edge::Begins => {
                    self.ledger.broken(fault);
                    self.begin(fault).await;
                }
                Edge::Ends => {
                    self.end(fault).await;
                    self.ledger.mended(fault);
                }
            }
        }
    }

    /// Looks after the processes until a moment.
    pub(crate) async fn look_after(&mut self, until: Instant) {
        loop {
            self.restart_fallen();
            self.publish_addresses();
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep_until(until.min(Instant::now() + ROUND)).await;
        }
    }

    /// Looks after the processes for a moment; whether each says that it is ready.
    pub(crate) async fn all_ready(&mut self) -> bool {
        self.look_after(Instant::now() + ROUND).await;
        let mut ready = true;
        for (_, _, service) in self.fleet.all_mut() {
            ready &= service.address_now("admin").is_some() && service.is_ready().await;
        }
        ready
    }

    /// A process that ends although nobody killed it is started again, as an orchestrator does, and written
    /// down as something that must not be.
    fn restart_fallen(&mut self) {
        for (stage, replica, service) in self.fleet.all_mut() {
            if let Some(status) = service.exit_status()
                && !self.down.contains(&(stage, replica))
            {
                let name = stage.as_str();
                self.ledger
                    .strange(format!("{name} {replica} ended by itself: {status}"));
                service.relaunch();
            }
        }
    }

    /// Tells the users where ingress listens.
    pub(crate) fn publish_addresses(&self) {
        let replicas = self.fleet.replicas(Stage::Ingress).iter();
        let now: Vec<SocketAddr> = replicas
            .filter_map(|service| service.address_now("http"))
            .collect();
        // Without an address a push has nowhere to go; the last one is as good as any.
        self.ingress.send_if_modified(|known| {
            let changed = !now.is_empty() && *known != now;
            if changed {
                *known = now;
            }
            changed
        });
    }

    async fn begin(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(stage, replica) => {
                self.down.insert((stage, replica));
                self.fleet.replica_mut(stage, replica).kill();
            }
            Fault::Replace(stage, replica) => self.replace(stage, replica).await,
            Fault::Freeze(stage, replica) => self.fleet.replica_mut(stage, replica).pause().await,
            Fault::KillBroker(node) => self.nodes[node].kill(),
            Fault::FreezeBroker => self.nodes[0].pause().await,
            Fault::Cut => self.proxy.cut(),
            Fault::Slow(delay) => self.proxy.slow_down(delay),
            Fault::Stall => self.stall = Some(self.proxy.stall()),
            Fault::WebhookDown => self.webhook.is_down(true),
            Fault::CallbackRefuses(replies) => self.outside.callbacks.fail_next(replies, 503),
            Fault::PlatformsFail(calls) => {
                for _ in 0..calls {
                    self.outside.slack.fail_next_with_status("chat.postMessage", 500);
                    self.outside.discord.fail_next(Endpoint::Message, 500, 0);
                    self.outside.telegram.fail_next(
                        "sendMessage",
                        500,
                        "Internal Server Error",
                        None::<Value>,
                    );
                }
            }
            Fault::PlatformsLoseAnswer => {
                self.outside.telegram.lose_next_answer("sendMessage");
                self.outside.slack.lose_next_answer("chat.postMessage");
                self.outside.discord.lose_next_answer(Endpoint::Message);
            }
        }
    }

    async fn end(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(stage, replica) => {
                self.fleet.replica_mut(stage, replica).relaunch();
                self.down.remove(&(stage, replica));
            }
            Fault::Freeze(stage, replica) => self.fleet.replica_mut(stage, replica).resume(),
            Fault::KillBroker(node) => self.nodes[node].restart().await,
            Fault::FreezeBroker => self.nodes[0].resume(),
            Fault::Slow(_) => self.proxy.slow_down(Duration::ZERO),
            Fault::Stall => self.stall = None,
            Fault::WebhookDown => self.webhook.is_down(false),
            Fault::Replace(..)
            | Fault::Cut
            | Fault::CallbackRefuses(_)
            | Fault::PlatformsFail(_)
            | Fault::PlatformsLoseAnswer => {}
        }
    }

    /// Asks a process to end, and starts it again when it has: as an orchestrator replaces it by the next version, whose
    /// readiness it waits for before it goes on. The others work on meanwhile.
    async fn replace(&mut self, stage: Stage, replica: usize) {
        let name = stage.as_str();
        let asked = Instant::now();
        let status = self.fleet.replica_mut(stage, replica).terminate().await;
        let took = asked.elapsed();
        if !status.success() || took > DRAIN_DEADLINE {
            self.ledger
                .strange(format!("{name} {replica} ended with {status} after {took:?}"));
        }
        self.fleet.replica_mut(stage, replica).restart().await;
        self.publish_addresses();
        self.fleet.replica_mut(stage, replica).ready().await;
    }

    /// What every process wrote, by its name.
    pub(crate) fn logs(&mut self) -> BTreeMap<String, String> {
        let services = self.fleet.all_mut();
        let mut logs: BTreeMap<String, String> = services
            .map(|(stage, replica, service)| (format!("{}-{replica}", stage.as_str()), service.logs()))
            .collect();
        let nodes = self.nodes.iter().enumerate();
        logs.extend(nodes.map(|(node, server)| (format!("nats-server-{node}"), server.log())));
        logs
    }
}
