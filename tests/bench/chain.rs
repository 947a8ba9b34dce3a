//! What the driver drives: the platform or its yardstick, with the broker they run on.

use std::rc::Rc;

use bus::{Bus, BusConfig, OnDifference};
use testkit::nats::NatsServer;

use crate::cpu::Watched;
use crate::driver::Door;

/// The broker's configuration, as it is deployed.
const DEPLOYED: &str = include_str!("../../deploy/nats/nats.conf");

/// A chain that is ready for messages. Its processes end with it.
pub(crate) struct Chain {
    /// Where messages go in.
    pub(crate) door: Door,
    /// Its processes, nats-server last.
    pub(crate) processes: Vec<Watched>,
    /// Keeps the processes alive.
    pub(crate) _parts: Vec<Box<dyn std::any::Any>>,
    /// The broker.
    pub(crate) nats: Rc<NatsServer>,
}

/// Starts a broker on an empty folder, with the settings that are deployed: addresses and folder are the bench's.
pub(crate) async fn start_broker() -> NatsServer {
    let places = ["listen:", "http:", "store_dir:"];
    let lines = DEPLOYED
        .lines()
        .filter(|line| !places.iter().any(|place| line.trim_start().starts_with(place)));
    let configuration: Vec<&str> = lines.collect();
    NatsServer::start_with(&configuration.join("\n")).await
}

/// Connects, and creates streams, buckets and consumers as the services do.
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
    bus.ensure_topology(OnDifference::Keep)
        .await
        .expect("the topology");
    bus
}
