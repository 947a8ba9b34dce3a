//! One connection's life: wait for its lease, read its Gateway for as long as the lease lasts, connect again with pauses
//! that grow.

use std::sync::Arc;
use std::time::Duration;

use proto_schemas::ids::ConnectionId;
use registry::DiscordConnection;
use runtime::random;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::Gateway;
use super::lease::Lease;
use super::session::{End, Reader};

/// The pause after the first failure; each after it is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest before a session is begun. Discord lets a bot begin 1,000 a day, and this is one every 90 s at the most.
const LONGEST_PAUSE: Duration = Duration::from_secs(180);
/// The longest before a session is gone on with: Discord does not count that, and forgets the session in minutes.
const LONGEST_PAUSE_IN_SESSION: Duration = Duration::from_secs(20);
/// A connection that lasted for so long was none of the failures.
const STEADY: Duration = Duration::from_secs(600);
/// Discord wants a pause before another session is begun in place of one that it does not know, up to four times this.
const SESSION_PAUSE: Duration = Duration::from_secs(1);
/// The pause before asking again whether an operator has mended what Discord refuses.
const REFUSED_PAUSE: Duration = Duration::from_secs(300);

/// The account that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) connection: ConnectionId,
    pub(super) discord: DiscordConnection,
    pub(super) url: Url,
}

/// Reads the account's Gateway until `stop`, whenever no other replica does.
pub(super) async fn live(gateway: Arc<Gateway>, account: Account, stop: CancellationToken) {
    let connection = &account.connection;
    gateway.metrics.lease(connection, false);
    while !stop.is_cancelled() {
        let lease = tokio::select! {
            () = stop.cancelled() => break,
            lease = gateway.leases.take(connection) => lease,
        };
        tracing::info!(%connection, "this replica reads the Gateway");
        gateway.metrics.lease(connection, true);
        tokio::select! {
            () = lease.keep() => gateway.metrics.ended(End::LeaseOver),
            () = read(&gateway, &account, &lease, &stop) => {}
        }
        if lease.is_over() {
            tracing::warn!(%connection, "the lease of the Gateway is over");
        }
        gateway.metrics.lease(connection, false);
        lease.give_back().await;
    }
    gateway.metrics.forget(connection);
}

/// Reads as long as it is to be read here.
async fn read(gateway: &Gateway, account: &Account, lease: &Lease, stop: &CancellationToken) {
    let reader = Reader {
        gateway,
        connection: &account.connection,
        account: &account.discord,
        url: &account.url,
        lease,
        stop,
    };
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let end = reader.read().await;
        gateway.metrics.ended(end);
        if began.elapsed() >= STEADY {
            failures = 0;
        }
        let Some(pause) = pause(end, failures, lease.session().is_some(), random::fraction()) else {
            return;
        };
        failures += 1;
        tracing::info!(connection = %account.connection, cause = end.cause(), ?pause, "connects to the Gateway again");
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(pause) => {}
        }
    }
}

/// How long to wait before the next connection; none if there is to be none here. `chance` is from 0 to 1.
fn pause(end: End, failures: u32, in_session: bool, chance: f64) -> Option<Duration> {
    let longest = if in_session {
        LONGEST_PAUSE_IN_SESSION
    } else {
        LONGEST_PAUSE
    };
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures));
    let usual = doubled.min(longest).mul_f64(0.5 + 0.5 * chance);
    match end {
        End::Stopped | End::LeaseOver => None,
        End::InvalidSession => Some(usual.max(SESSION_PAUSE.mul_f64(1.0 + 4.0 * chance))),
        End::Refused(_) => Some(REFUSED_PAUSE.mul_f64(1.0 + chance)),
        End::Closed | End::NoToken | End::Unreachable | End::Broken | End::HeldUp => Some(usual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_no_session_is_begun_too_often() {
        let seconds = |failures| pause(End::Closed, failures, false, 0.0).unwrap().as_secs_f64();
        assert_eq!([0, 1, 2].map(seconds), [0.25, 0.5, 1.0]);
        assert_eq!([12, 40, u32::MAX].map(seconds), [90.0; 3]);
        // A day of failures begins fewer sessions than Discord allows, and so does one of steady connections.
        let day = 24.0 * 3600.0;
        assert!(day / seconds(u32::MAX) < 1000.0 && day / STEADY.as_secs_f64() < 1000.0);
    }

    #[test]
    fn a_session_is_gone_on_with_before_discord_forgets_it() {
        let longest = pause(End::Closed, u32::MAX, true, 1.0).unwrap();
        assert_eq!(longest, Duration::from_secs(20));
    }

    #[test]
    fn what_an_operator_has_to_mend_is_tried_again_after_minutes() {
        let least = pause(End::Refused(4004), 0, true, 0.0).unwrap();
        assert!(least >= Duration::from_secs(300));
    }

    #[test]
    fn another_session_is_begun_after_the_pause_that_discord_asks_for() {
        let pauses = [0.0, 0.999].map(|chance| pause(End::InvalidSession, 0, false, chance).unwrap());
        assert!(pauses[0] >= SESSION_PAUSE && pauses[1] < 5 * SESSION_PAUSE);
    }

    #[test]
    fn who_is_stopped_or_has_lost_the_lease_does_not_connect_again() {
        assert_eq!(
            [End::Stopped, End::LeaseOver].map(|end| pause(end, 0, true, 0.0)),
            [None; 2]
        );
    }
}
