//! Whether work is still this process's own. A process may stand still for longer than the server waits for a sign
//! of life: then another one has the work, and what it does must not be done again here, nor be disturbed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::Session;
use tokio::time::Instant;

/// A claim on one message, kept by signs of life that the server has heard. Clones are the same claim.
///
/// It is half as long as the server's patience, because the server counts from when it handed the message out, which
/// may be as much as the other half before it was taken up here: see [`standstill`]. Once lost it stays lost. It ends
/// with the session in which the message was handed out: a server that was killed may not remember that it was.
#[derive(Debug, Clone)]
pub struct Lease {
    renewed: Arc<Mutex<Option<Instant>>>,
    length: Duration,
    session: Option<Session>,
}

/// How long a process may stand still before it must not trust what was handed to it meanwhile.
pub fn standstill(ack_wait: Duration) -> Duration {
    ack_wait / 2
}

impl Lease {
    /// A claim on a message that has just been taken.
    pub fn new(ack_wait: Duration) -> Self {
        Self {
            renewed: Arc::new(Mutex::new(Some(Instant::now()))),
            length: ack_wait - standstill(ack_wait),
            session: None,
        }
    }

    /// The same for a message that was handed out in a session.
    pub fn within(self, session: Session) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// Whether nobody else can have the work.
    pub fn is_held(&self) -> bool {
        self.session.as_ref().is_none_or(Session::lasts) && self.is_alive()
    }

    /// Whether the server, if it remembers that this process has the work, cannot have taken it for dead.
    pub(crate) fn is_alive(&self) -> bool {
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.is_some_and(|renewed| renewed.elapsed() < self.length)
    }

    /// The server has heard a sign of life that was given at this moment.
    pub(crate) fn renew(&self, given: Instant) {
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        *renewed = renewed
            .filter(|renewed| renewed.elapsed() < self.length)
            .map(|_| given);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK_WAIT: Duration = Duration::from_secs(3);

    #[tokio::test(start_paused = true)]
    async fn it_lasts_as_long_as_it_is_renewed_in_time() {
        let lease = Lease::new(ACK_WAIT);
        for _ in 0..5 {
            tokio::time::advance(ACK_WAIT / 3).await;
            assert!(lease.is_held());
            lease.renew(Instant::now());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_standing_still_it_is_lost_for_good() {
        let lease = Lease::new(ACK_WAIT);
        tokio::time::advance(ACK_WAIT / 2).await;
        assert!(!lease.is_held());
        lease.renew(Instant::now());
        assert!(!lease.is_held());
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_counts_from_when_it_was_given() {
        let lease = Lease::new(ACK_WAIT);
        let given = Instant::now();
        tokio::time::advance(ACK_WAIT / 3).await;
        lease.renew(given);
        tokio::time::advance(ACK_WAIT / 6).await;
        assert!(!lease.is_held());
    }
}
