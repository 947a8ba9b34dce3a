//! Waiting for the broker: for the connection, and for what the service needs to be there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bus::{Bus, Incomplete, OnDifference};
use proto_schemas::access::{self, User};

use crate::{Process, StartError};

/// How long reaching the broker usually takes at most.
const QUICK: Duration = Duration::from_secs(2);
/// Pause between two attempts to create the topology, or to find it.
const PAUSE: Duration = Duration::from_millis(200);

/// The rights of the service, which say what it has to find at the broker.
pub(crate) fn user(service: &str) -> Result<&'static User, StartError> {
    let unknown = || StartError::Other(format!("NATS_NKEY_SEED: the broker has no user {service:?}"));
    access::user(service).ok_or_else(unknown)
}

/// Connects, and creates what is missing or waits until it is there, for as long as it takes.
pub(crate) async fn wait(bus: &Bus, user: Option<&User>) {
    // A broker that is there answers within this; only one that is not is worth a line in the log.
    let mut connected = bus.connected();
    // What it returns holds the state's lock: kept, it would stop the client that has to tell of a loss.
    drop(tokio::time::timeout(QUICK, connected.wait_for(|connected| *connected)).await);
    let mut told = String::new();
    while let Err(error) = prepare(bus, user).await {
        let cause = cause(bus, &error).await;
        if cause == told {
            tracing::debug!(cause, "still waiting for the broker");
        } else {
            tracing::warn!(cause, "waiting for the broker");
            told = cause;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// A service with a user of its own may not create anything.
async fn prepare(bus: &Bus, user: Option<&User>) -> Result<(), Incomplete> {
    let Some(user) = user else {
        return Ok(bus.ensure_topology(OnDifference::Keep).await?);
    };
    for bucket in user.remakes {
        bus.ensure_bucket(bucket).await?;
    }
    bus.find_topology(user).await
}

/// What to tell of it: without a connection, why there is none.
async fn cause(bus: &Bus, error: &Incomplete) -> String {
    let connected = *bus.connected().borrow();
    let trouble = if connected { None } else { bus.trouble().await };
    trouble.unwrap_or_else(|| error.to_string())
}

/// The service is unready when the broker has been away for longer than `grace`.
pub(crate) fn require(process: &Process, grace: Duration) {
    let connected = process.bus.connected();
    let gone_since = Mutex::new(None::<tokio::time::Instant>);
    process.health.require("broker", move || {
        let mut gone_since = gone_since.lock().unwrap_or_else(PoisonError::into_inner);
        if *connected.borrow() {
            *gone_since = None;
            return true;
        }
        let since = *gone_since.get_or_insert_with(tokio::time::Instant::now);
        since.elapsed() < grace
    });
}
