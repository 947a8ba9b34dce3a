//! The five services as processes.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use proto_schemas::dead_letter::Stage;
use testkit::process::{Namespace, Service};

use crate::manifest;

/// Variables of a process, by name.
pub type Environment = Vec<(&'static str, String)>;

/// How long a process may take to end when it is asked to.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(20);

/// Processes of each of the five services. Dropped, all are killed.
#[derive(Debug)]
pub struct Fleet {
    services: BTreeMap<Stage, Vec<Service>>,
    namespace: Namespace,
    env: Environment,
    own: BTreeMap<Stage, Environment>,
}

impl Fleet {
    /// Starts so many processes of each service and waits until they are ready. attachment-fetcher comes
    /// first: the others are told where it serves.
    pub async fn start(env: Environment, replicas: usize) -> Self {
        Self::start_with(env, BTreeMap::new(), replicas).await
    }

    /// As [`Fleet::start`], each process in such a namespace.
    pub async fn start_in(namespace: Namespace, env: Environment, replicas: usize) -> Self {
        Self::start_all(namespace, env, BTreeMap::new(), replicas).await
    }

    /// As [`Fleet::start`], with variables of single services besides.
    pub async fn start_with(env: Environment, own: BTreeMap<Stage, Environment>, replicas: usize) -> Self {
        Self::start_all(Namespace::Shared, env, own, replicas).await
    }

    async fn start_all(
        namespace: Namespace,
        env: Environment,
        own: BTreeMap<Stage, Environment>,
        replicas: usize,
    ) -> Self {
        let mut fleet = Self {
            services: BTreeMap::new(),
            namespace,
            env,
            own,
        };
        let fetchers = fleet.launch(Stage::AttachmentFetcher, replicas).await;
        let files = fetchers[0].address("http").await;
        fleet
            .env
            .push(("ATTACHMENTS_URL", format!("http://{files}/files")));
        fleet.services.insert(Stage::AttachmentFetcher, fetchers);
        let others = Stage::ALL
            .into_iter()
            .filter(|stage| *stage != Stage::AttachmentFetcher);
        let started = join_all(others.map(async |stage| (stage, fleet.launch(stage, replicas).await))).await;
        fleet.services.extend(started);
        fleet
    }

    /// As many processes of each service, started in the same way at another broker.
    pub async fn start_at(&self, nats_url: &str) -> Self {
        let mut env = self.env.clone();
        env.push(("NATS_URL", nats_url.to_owned()));
        let replicas = self.services.values().map(Vec::len).max().unwrap_or(1);
        Self::start_with(env, self.own.clone(), replicas).await
    }

    async fn launch(&self, stage: Stage, replicas: usize) -> Vec<Service> {
        let own = self.own.get(&stage).into_iter().flatten();
        let env: Environment = self.env.iter().chain(own).cloned().collect();
        join_all((0..replicas).map(async |_| {
            let service = Service::start_in(self.namespace, stage.as_str(), &env).await;
            service.ready().await;
            service
        }))
        .await
    }

    /// Sets variables of a service that win over those it had, for processes that are started from now on.
    pub fn set(&mut self, stage: Stage, settings: Environment) {
        self.own.entry(stage).or_default().extend(settings);
    }

    /// Asks the first process of a service to end.
    pub async fn end_first(&mut self, stage: Stage) {
        if let Some(replicas) = self.services.get_mut(&stage) {
            replicas.remove(0).terminate().await;
        }
    }

    /// Starts one more process of a service.
    pub async fn add_replica(&mut self, stage: Stage) {
        let added = self.launch(stage, 1).await;
        self.services.entry(stage).or_default().extend(added);
    }

    /// The processes of a service, in the order in which they were started.
    ///
    /// # Panics
    /// When the fleet has not started.
    pub fn replicas(&self, stage: Stage) -> &[Service] {
        &self.services[&stage]
    }

    /// One process of a service, to be started again.
    ///
    /// # Panics
    /// When there is none of this number.
    pub fn replica_mut(&mut self, stage: Stage, replica: usize) -> &mut Service {
        &mut self.services.get_mut(&stage).unwrap()[replica]
    }

    /// All processes, with their service and number.
    pub fn all_mut(&mut self) -> impl Iterator<Item = (Stage, usize, &mut Service)> {
        self.services.iter_mut().flat_map(|(stage, replicas)| {
            let numbered = replicas.iter_mut().enumerate();
            numbered.map(|(replica, service)| (*stage, replica, service))
        })
    }
}

/// What every service is started with: the broker, the secrets, addresses of their own, and patience for tests.
/// `settings` win over all of it.
pub fn environment(nats_url: &str, settings: &[(&'static str, &str)]) -> Environment {
    let mut env = manifest::secrets();
    let drain_deadline = format!("{}s", DRAIN_DEADLINE.as_secs());
    let usual = [
        ("NATS_URL", nats_url),
        ("NATS_ACK_WAIT", "2s"),
        ("ADMIN_LISTEN", "127.0.0.1:0"),
        ("HTTP_LISTEN", "127.0.0.1:0"),
        ("OUTBOUND_ALLOW", "127.0.0.1"),
        ("ATTACHMENTS_SECRET", "env:ATTACHMENTS_SIGNING_KEY"),
        ("READINESS_GRACE", "0s"),
        ("DRAIN_DEADLINE", &drain_deadline),
    ];
    // A variable that is set twice has its last value.
    let all = usual.iter().chain(settings);
    env.extend(all.map(|(key, value)| (*key, (*value).to_owned())));
    env
}
