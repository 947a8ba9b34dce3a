//! What the driver drives: the platform or its yardstick, with the broker they run on.

use std::any::Any;

use bus::{Bus, BusConfig, OnDifference};
use testkit::nats::NatsServer;

use crate::cpu::Watched;

/// The broker's configuration, as it is deployed.
const DEPLOYED: &str = include_str!("../../deploy/nats/nats.conf");
/// Its lines that say where things are; the bench has places of its own.
const PLACES: [&str; 3] = ["listen:", "http:", "store_dir:"];

/// Processes that are ready for messages, without their broker.
pub(crate) struct Chain {
    /// What it is called in reports.
    pub(crate) name: &'static str,
    /// Its processes.
    pub(crate) processes: Vec<Watched>,
    /// What ends the processes when it is dropped.
    pub(crate) _guards: Vec<Box<dyn Any>>,
}

/// Starts a broker on an empty folder, with the settings that are deployed.
pub(crate) async fn start_broker() -> NatsServer {
    let kept = DEPLOYED
        .lines()
        .filter(|line| !PLACES.iter().any(|place| line.trim_start().starts_with(place)));
    NatsServer::start_with(&kept.collect::<Vec<_>>().join("\n")).await
}

/// Connects.
pub(crate) async fn connect(nats: &NatsServer) -> Bus {
    let config = BusConfig {
        url: nats.url().to_owned(),
        name: "bench".to_owned(),
        replicas: 1,
        ack_wait: None,
    };
    let bus = Bus::connect(config).await.expect("the address is one");
    let mut connected = bus.connected();
    connected
        .wait_for(|connected| *connected)
        .await
        .expect("the bus lives");
    bus
}

/// Creates streams, buckets and consumers that are missing, as the services do.
pub(crate) async fn create_topology(bus: &Bus) {
    let created = bus.ensure_topology(OnDifference::Keep).await;
    created.expect("the broker takes the topology");
}
