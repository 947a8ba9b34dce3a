//! A broker with the topology, and records to put there.

use std::time::Duration;

use bus::{Bus, BusConfig, BusError, OnDifference, Outgoing, Published, TraceContext};
use proto_schemas::progress::DeliveryProgress;
use testkit::nats::NatsServer;

pub(crate) struct Broker {
    pub(crate) server: NatsServer,
    pub(crate) bus: Bus,
}

impl Broker {
    pub(crate) async fn start() -> Self {
        Self::with_ack_wait(None).await
    }

    pub(crate) async fn with_ack_wait(ack_wait: Option<Duration>) -> Self {
        let server = NatsServer::start().await;
        let bus = connect(&server, ack_wait).await;
        Box::pin(bus.ensure_topology(OnDifference::Keep)).await.unwrap();
        Self { server, bus }
    }

    /// Ends the broker, and waits until that is noticed.
    pub(crate) async fn kill(&self) {
        self.server.kill();
        self.bus
            .connected()
            .wait_for(|connected| !*connected)
            .await
            .unwrap();
    }

    /// Starts the broker again, and waits until that is noticed.
    pub(crate) async fn restart(&mut self) {
        self.server.restart().await;
        self.bus
            .connected()
            .wait_for(|connected| *connected)
            .await
            .unwrap();
    }

    /// Publishes a record whose number is `number`.
    pub(crate) async fn publish(
        &self,
        subject: &str,
        number: u32,
        identity: &str,
    ) -> Result<Published, BusError> {
        self.bus.publish(message(subject, number, identity)).await
    }
}

pub(crate) async fn connect(server: &NatsServer, ack_wait: Option<Duration>) -> Bus {
    let bus = open(server, ack_wait).await;
    bus.connected().wait_for(|connected| *connected).await.unwrap();
    bus
}

/// As [`connect`], whether the broker is there or not.
pub(crate) async fn open(server: &NatsServer, ack_wait: Option<Duration>) -> Bus {
    let (url, name) = (server.url().to_owned(), "test".to_owned());
    Bus::connect(BusConfig {
        url,
        name,
        replicas: 1,
        ack_wait,
    })
    .await
    .unwrap()
}

pub(crate) fn record(number: u32) -> DeliveryProgress {
    DeliveryProgress {
        platform_message_ids: vec![],
        failures: number,
        under_way: None,
    }
}

pub(crate) fn message(subject: &str, number: u32, identity: &str) -> Outgoing {
    Outgoing::new(subject.to_owned(), &record(number), identity, TraceContext::new()).unwrap()
}

/// Bytes of any size.
pub(crate) fn raw(subject: &str, bytes: usize, identity: &str) -> Outgoing {
    Outgoing::raw(subject.to_owned(), vec![b'x'; bytes].into(), identity, vec![])
}
