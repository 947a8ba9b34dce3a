//! Services that start while the broker is hard to reach.

use std::time::Duration;

use proto_schemas::dead_letter::Stage;
use proto_schemas::topology::INBOX_EVENTS;
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;
use testkit::process::Service;
use testkit::proxy::Proxy;
use tests::broker::open;
use tests::fleet::environment;

/// What each request about the topology takes, so that its creation has a middle.
const SLOWLY: Duration = Duration::from_millis(10);

#[tokio::test]
async fn a_service_that_loses_the_broker_while_it_creates_the_topology_becomes_ready() {
    let nats = NatsServer::start().await;
    let bus = open(nats.url()).await;
    let proxy = Proxy::start(nats.address()).await;
    proxy.slow_down(SLOWLY);
    let env = environment(&format!("nats://{}", proxy.address()), &[]);
    let service = Service::start(Stage::ContextBuilder.as_str(), &env).await;
    // Its first consumer is there, and the others are not yet.
    wait_until(PATIENCE, "the topology to be begun", async || {
        bus.consumer(&INBOX_EVENTS).await.is_ok()
    })
    .await;
    assert!(!service.is_ready().await);
    proxy.cut();
    service.ready().await;
}
