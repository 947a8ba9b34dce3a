//! A broker with the topology, and nothing stored.

use bus::{Bus, BusConfig, OnDifference};
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;

/// A connection, and the server behind it.
pub(crate) struct Broker {
    pub(crate) bus: Bus,
    _nats: NatsServer,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        let nats = NatsServer::start().await;
        let config = BusConfig::new(nats.url(), "test");
        let bus = Bus::connect(config).await.unwrap();
        wait_until(PATIENCE, "the topology", async || {
            bus.ensure_topology(OnDifference::Keep).await.is_ok()
        })
        .await;
        Self { bus, _nats: nats }
    }
}
