//! The broker, as a test sees it beside the services.

use std::time::Duration;

use bus::{Bus, BusConfig, Entry, Identity, OnDifference};
use proto_schemas::topology::CONSUMERS;

/// How soon the work of a killed process comes back: long enough for a busy machine to give signs of life, and
/// short for who waits.
pub const ACK_WAIT: Duration = Duration::from_secs(2);

/// The name of the tests' own connection.
pub const OBSERVER: &str = "tests";

/// Connects to the broker at `url` and creates the topology.
///
/// # Panics
/// When the broker refuses.
pub async fn connect(url: &str) -> Bus {
    connect_to(url, 1).await
}

/// As [`connect`], with so many copies of each stream.
///
/// # Panics
/// When the broker refuses.
pub async fn connect_to(url: &str, replicas: usize) -> Bus {
    let bus = open_with(url, replicas, Identity::default()).await;
    bus.ensure_topology(OnDifference::Keep).await.unwrap();
    bus
}

/// Connects to the broker at `url`, and leaves it as it is.
///
/// # Panics
/// When the broker refuses.
pub async fn open(url: &str) -> Bus {
    open_as(url, Identity::default()).await
}

/// As [`open`], at a broker that asks who one is.
///
/// # Panics
/// When the broker refuses.
pub async fn open_as(url: &str, identity: Identity) -> Bus {
    open_with(url, 1, identity).await
}

async fn open_with(url: &str, replicas: usize, identity: Identity) -> Bus {
    let config = BusConfig {
        url: url.to_owned(),
        name: OBSERVER.to_owned(),
        replicas,
        ack_wait: Some(ACK_WAIT),
    };
    let bus = Bus::connect_as(config, identity).await.unwrap();
    bus.connected().wait_for(|connected| *connected).await.unwrap();
    bus
}

/// What a stream holds under a subject, oldest first.
///
/// # Panics
/// When the broker is away.
pub async fn stored(bus: &Bus, stream: &str, subject: &str) -> Vec<Entry> {
    let mut stored = Vec::new();
    bus.each(stream, subject, 1, |entry| stored.push(entry))
        .await
        .unwrap();
    stored
}

/// Whether no consumer has anything to do or in work.
pub async fn is_idle(bus: &Bus) -> bool {
    for consumer in &CONSUMERS {
        match bus.consumer_state(consumer).await {
            Ok(state) if state.pending == 0 && state.ack_pending == 0 => {}
            Ok(_) | Err(_) => return false,
        }
    }
    true
}
