//! Whether work is still this process's own. A process may stand still for longer than the server waits for a sign
//! of life: then another one has the work, and what it does must not be done again here, nor be disturbed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A claim on one message, kept by signs of life. Clones are the same claim.
///
/// It is half as long as the server's patience, because the server counts from when it handed the message out, which
/// may be as much as the other half before it was taken up here: see [`standstill`]. Once lost it stays lost.
#[derive(Debug, Clone)]
pub struct Lease {
    renewed: Arc<Mutex<Option<Instant>>>,
    length: Duration,
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
        }
    }

    /// Whether nobody else can have the work.
    pub fn is_held(&self) -> bool {
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.is_some_and(|renewed| renewed.elapsed() < self.length)
    }

    /// Renews the claim, which must be followed by a sign of life; false when it is lost.
    pub(crate) fn renew(&self) -> bool {
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        *renewed = renewed
            .filter(|renewed| renewed.elapsed() < self.length)
            .map(|_| Instant::now());
        renewed.is_some()
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
            assert!(lease.is_held() && lease.renew());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_standing_still_it_is_lost_for_good() {
        let lease = Lease::new(ACK_WAIT);
        tokio::time::advance(ACK_WAIT / 2).await;
        assert!(!lease.is_held());
        assert!(!lease.renew());
        assert!(!lease.is_held());
    }
}
