//! Leases against a real broker, and what may be stored under them.

use bus::{BusConfig, OnDifference, TraceContext};
use bytes::Bytes;
use channels::{Accounts, receive_discord_message};
use proto_schemas::gateway::GatewayLease;
use proto_schemas::topology::{GATEWAYS, INBOX};
use runtime::metrics::Metrics;
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};
use testkit::discord::{BOT_USER, direct_message};
use testkit::nats::NatsServer;

use super::*;
use crate::backlog::Backlog;
use crate::config::Config;
use crate::error::Refused;
use crate::limits::Limiter;
use crate::metrics::IntakeMetrics;
use crate::recent::Recent;
use crate::stage::{Arrival, Taken};

/// Short, so that a lease that nobody keeps is soon over, and longer than a busy machine stands still.
const LENGTH: Duration = Duration::from_secs(5);

async fn connect(nats: &NatsServer) -> bus::Bus {
    let config = BusConfig::new(nats.url(), "test");
    let bus = bus::Bus::connect(config).await.unwrap();
    wait_until(PATIENCE, "the topology", async || {
        bus.ensure_topology(OnDifference::Keep).await.is_ok()
    })
    .await;
    bus
}

fn intake(bus: &bus::Bus) -> Intake {
    let config = <Config as runtime::config::FromEnvironment>::from_variables(Vec::new()).unwrap();
    Intake {
        bus: bus.clone(),
        files: files::Files::in_broker(bus.clone()),
        registry: Registry::follow(bus.clone()).0,
        accounts: Accounts::default(),
        connections: Limiter::new(config.connection_rate),
        conversations: Limiter::new(config.conversation_rate),
        backlog: Backlog::new(config.conversation_backlog),
        newest: Recent::default(),
        metrics: IntakeMetrics::new(&Metrics::new("ingress").unwrap()).unwrap(),
    }
}

fn connection() -> Connection {
    let discord = json!({"token": "env:T", "application_id": "1", "public_key": "0".repeat(64)});
    serde_json::from_value(json!({"id": "c", "bot": "b", "channel": {"discord": discord}})).unwrap()
}

fn leases(bus: &bus::Bus) -> Leases {
    Leases {
        bus: bus.clone(),
        length: LENGTH,
    }
}

#[tokio::test]
async fn a_lease_is_over_before_another_has_it_and_nothing_is_stored_under_it() {
    let nats = NatsServer::start().await;
    let bus = connect(&nats).await;
    let (leases, intake, connection) = (leases(&bus), intake(&bus), connection());
    let body = Bytes::from(json!({"d": direct_message("7", "1", "hello")}).to_string());
    let store = async |lease| {
        let arrival = Arrival {
            route: GATEWAY_MESSAGES,
            body: &body,
            trace: TraceContext::new(),
            lease: Some(lease),
        };
        let inbound = receive_discord_message(&body, BOT_USER);
        intake.admit(&connection, inbound, &arrival).await
    };
    let first = leases.take(&connection.id).await;
    assert!(first.is_held());
    // Nobody gives signs of life for it.
    let second = leases.take(&connection.id).await;
    assert!(first.is_over() && !first.is_held() && second.is_held());
    let refused = store(&first).await;
    assert!(matches!(refused, Err(Refused::NotHeld)), "{refused:?}");
    let stored = bus.entries(INBOX.name, "inbox.*", 1, 10, 1 << 20).await.unwrap();
    assert!(stored.list.is_empty());
    let taken = store(&second).await;
    assert!(
        matches!(taken, Ok(Taken::Message { duplicate: false, .. })),
        "{taken:?}"
    );
}

#[tokio::test]
async fn of_two_that_take_a_free_lease_at_once_one_has_it_until_it_gives_it_back() {
    let nats = NatsServer::start().await;
    let bus = connect(&nats).await;
    let id = connection().id;
    let (one, other) = (leases(&bus), leases(&bus));
    let (mut one, mut other) = (Box::pin(one.take(&id)), Box::pin(other.take(&id)));
    let (first, mut last) = tokio::select! {
        first = &mut one => (first, other),
        first = &mut other => (first, one),
    };
    // The first revision takes the lease, and each after it is a quarter of its time later.
    let renewed = wait_until(PATIENCE, "renewals for longer than the lease", async || {
        let record = bus.get::<GatewayLease>(&GATEWAYS, id.as_str()).await;
        record.unwrap().unwrap().revision > 5
    });
    tokio::select! {
        () = first.keep() => panic!("a lease that is kept was over"),
        _ = &mut last => panic!("two have it"),
        () = renewed => {}
    }
    first.give_back().await;
    assert!(last.await.is_held());
}
