//! Taking leases: free ones at once, and those whose holder was silent for as long as it said.

use std::time::Duration;

use bus::{Bus, BusError, Revision};
use proto_schemas::gateway::GatewayLease;
use proto_schemas::ids::ConnectionId;
use proto_schemas::topology::GATEWAYS;
use runtime::random;
use tokio::time::{Instant, sleep};

use super::lease::{Lease, Proof, millis, write};

/// How many looks others take at a record within its time.
const LOOKS: u32 = 5;

/// Where leases are taken.
pub(super) struct Leases {
    pub(super) bus: Bus,
    /// How long others wait for a sign of life.
    pub(super) length: Duration,
}

/// A record, and since when it has been as it is.
struct Seen {
    revision: u64,
    since: Instant,
}

impl Leases {
    /// Waits until the connection's lease can be had.
    pub(super) async fn take(&self, connection: &ConnectionId) -> Lease {
        let holder = random::name();
        let mut seen = None;
        loop {
            match self.look(connection, &holder, &mut seen).await {
                Ok(Some(lease)) => return lease,
                Ok(None) | Err(BusError::Conflict) => {}
                Err(error) => tracing::debug!(%error, %connection, "cannot look at the lease of a Gateway"),
            }
            // Replicas that began together do not stay together.
            sleep((self.length / LOOKS).mul_f64(0.5 + 0.5 * random::fraction())).await;
        }
    }

    /// Takes the lease if it is free, or its holder was silent for as long as it said.
    async fn look(
        &self,
        connection: &ConnectionId,
        holder: &str,
        seen: &mut Option<Seen>,
    ) -> Result<Option<Lease>, BusError> {
        let present: Option<Revision<GatewayLease>> = self.bus.get(&GATEWAYS, connection.as_str()).await?;
        // Counted from after the look: the write is older.
        if let Some(found) = &present
            && is_anothers(found, holder, seen, Instant::now())
        {
            return Ok(None);
        }
        let (sent, broker) = (Instant::now(), self.bus.session());
        let revision = present.as_ref().map_or(0, |found| found.revision);
        let session = present.and_then(|found| found.record.session);
        let record = GatewayLease {
            holder: Some(holder.to_owned()),
            lease_millis: millis(self.length),
            session: session.clone(),
        };
        let revision = write(&self.bus, connection, revision, &record).await?;
        let proof = Proof { sent, broker };
        let lease = Lease::new(self, connection, holder, revision, proof, session);
        Ok(Some(lease))
    }
}

/// Whether somebody else has it, as far as one look and those before it can tell.
fn is_anothers(found: &Revision<GatewayLease>, holder: &str, seen: &mut Option<Seen>, now: Instant) -> bool {
    // Our own name: a write of ours got through, and its answer did not.
    if found.record.holder.as_deref().is_none_or(|name| name == holder) {
        return false;
    }
    match seen {
        Some(seen) if seen.revision == found.revision => {
            now.duration_since(seen.since) < Duration::from_millis(found.record.lease_millis)
        }
        Some(_) | None => {
            *seen = Some(Seen {
                revision: found.revision,
                since: now,
            });
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(15);

    fn record(revision: u64, holder: Option<&str>) -> Revision<GatewayLease> {
        let record = GatewayLease {
            holder: holder.map(str::to_owned),
            lease_millis: millis(LENGTH),
            session: None,
        };
        Revision { revision, record }
    }

    #[test]
    fn a_record_that_stays_as_it_is_is_its_holders_for_as_long_as_it_says() {
        let (mut seen, begin) = (None, Instant::now());
        let mut is_anothers =
            |revision, at: Duration| is_anothers(&record(revision, Some("a")), "b", &mut seen, begin + at);
        assert!(is_anothers(1, Duration::ZERO));
        assert!(is_anothers(1, LENGTH - Duration::from_millis(1)));
        assert!(is_anothers(2, LENGTH), "a write begins the time anew");
        assert!(is_anothers(2, 2 * LENGTH - Duration::from_millis(1)));
        assert!(!is_anothers(2, 2 * LENGTH));
    }

    #[test]
    fn what_was_given_back_or_is_our_own_is_not_waited_for() {
        let now = Instant::now();
        assert!(!is_anothers(&record(1, None), "b", &mut None, now));
        assert!(!is_anothers(&record(1, Some("b")), "b", &mut None, now));
    }
}
