//! Discord's Gateway: plain messages, over a socket that we open (`channels.md`, section 4.1.1).
//!
//! Guarantees:
//! - At most one replica stores what a connection's Gateway says: it holds a lease ([`Lease`]), and looks at it before
//!   each write.
//! - The next replica, or the same after a restart, goes on behind the last message that is in the inbox for sure. What
//!   it is told again is recognised, as a push is that comes again.
//! - What Discord refuses is not tried again before minutes have passed.

mod connection;
mod forward;
mod frame;
mod lease;
mod leases;
mod metrics;
mod session;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use proto_schemas::ids::ConnectionId;
use registry::{Connection, ConnectionChannel, Registry, Snapshot};
use runtime::metrics::{MetricError, Metrics};
use runtime::task::Tasks;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::pressure::Pressure;
use crate::stage::Intake;
use connection::{Account, live};
pub(crate) use lease::Lease;
use leases::Leases;
use metrics::GatewayMetrics;

/// What a dead letter says a message came on.
const GATEWAY_MESSAGES: &str = "discord-gateway/MESSAGE_CREATE";
/// How often is looked for a connection's task that has died.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What all Gateways share.
pub(crate) struct Gateway {
    intake: Arc<Intake>,
    pressure: Arc<Pressure>,
    leases: Leases,
    metrics: GatewayMetrics,
}

/// A connection's task.
struct Reading {
    account: Account,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Gateway {
    /// `lease` is how long others leave a Gateway to a replica that gives no sign of life.
    pub(crate) fn new(
        intake: Arc<Intake>,
        pressure: Arc<Pressure>,
        lease: Duration,
        metrics: &Metrics,
    ) -> Result<Arc<Self>, MetricError> {
        let leases = Leases {
            bus: intake.bus.clone(),
            length: lease,
        };
        Ok(Arc::new(Self {
            intake,
            pressure,
            leases,
            metrics: GatewayMetrics::new(metrics)?,
        }))
    }

    /// Has a task for each connection that is to be read, as the configuration says at the time, until shutdown.
    pub(crate) async fn run(self: Arc<Self>, registry: Registry, tasks: Tasks) -> Result<(), Infallible> {
        let shutdown = tasks.shutdown().clone();
        let mut changes = registry.changes();
        let mut readings: HashMap<ConnectionId, Reading> = HashMap::new();
        while !shutdown.is_cancelled() {
            let wanted = accounts(&changes.borrow_and_update());
            self.adapt(&mut readings, wanted, &tasks);
            tokio::select! {
                () = shutdown.cancelled() => {}
                changed = changes.changed() => if changed.is_err() {
                    // Following has ended, and with it soon the service.
                    shutdown.cancelled().await;
                },
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        for reading in readings.into_values() {
            watch_end(&reading.account.connection, reading.task).await;
        }
        Ok(())
    }

    fn adapt(
        self: &Arc<Self>,
        readings: &mut HashMap<ConnectionId, Reading>,
        mut wanted: HashMap<ConnectionId, Account>,
        tasks: &Tasks,
    ) {
        let mut before = HashMap::new();
        let unwanted = |id: &ConnectionId, reading: &mut Reading| {
            wanted.get(id) != Some(&reading.account) || reading.task.is_finished()
        };
        for (id, reading) in readings.extract_if(unwanted) {
            reading.stop.cancel();
            before.insert(id, reading.task);
        }
        wanted.retain(|id, _| !readings.contains_key(id));
        for (id, account) in wanted {
            let stop = tasks.shutdown().child_token();
            let (gateway, previous) = (Arc::clone(self), before.remove(&id));
            let (reads, stops) = (account.clone(), stop.clone());
            let task = tasks.owned(async move {
                if let Some(previous) = previous {
                    watch_end(&reads.connection, previous).await;
                }
                live(gateway, reads, stops).await;
            });
            readings.insert(id, Reading { account, stop, task });
        }
        for (id, previous) in before {
            drop(tasks.owned(async move { watch_end(&id, previous).await }));
        }
    }
}

/// Learns of the end of a connection's task.
async fn watch_end(connection: &ConnectionId, task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, %connection, "the task of a Gateway died");
    }
}

/// The accounts whose Gateway is to be read.
fn accounts(snapshot: &Snapshot) -> HashMap<ConnectionId, Account> {
    let connections = snapshot.connections.values();
    let accounts = connections.filter_map(|connection| account(connection));
    accounts
        .map(|account| (account.connection.clone(), account))
        .collect()
}

fn account(connection: &Connection) -> Option<Account> {
    match &connection.channel {
        ConnectionChannel::Discord(discord) => Some(Account {
            connection: connection.id.clone(),
            url: discord.gateway.as_ref()?.url.clone(),
            discord: discord.clone(),
        }),
        ConnectionChannel::Http(_) | ConnectionChannel::Telegram(_) | ConnectionChannel::Slack(_) => None,
    }
}
