//! Whether work is still this process's own. A process may stand still for longer than the server waits for a sign
//! of life: then another one has the work, and what it does must not be done again here, nor be disturbed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A claim on one message, kept by signs of life. Clones are the same claim.
///
/// The time since the last sign is measured from before it is sent, and the server counts from when it has it: the
/// claim ends here before it ends there. Once lost it stays lost.
#[derive(Debug, Clone)]
pub struct Lease {
    renewed: Arc<Mutex<Option<Instant>>>,
    ack_wait: Duration,
}

impl Lease {
    /// A claim on a message that has just been taken.
    pub fn new(ack_wait: Duration) -> Self {
        Self {
            renewed: Arc::new(Mutex::new(Some(Instant::now()))),
            ack_wait,
        }
    }

    /// Whether nobody else can have the work.
    pub fn is_held(&self) -> bool {
        let renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.is_some_and(|renewed| renewed.elapsed() < self.ack_wait)
    }

    /// Renews the claim, which must be followed by a sign of life; false when it is lost.
    pub(crate) fn renew(&self) -> bool {
        let mut renewed = self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        *renewed = renewed
            .filter(|renewed| renewed.elapsed() < self.ack_wait)
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
            tokio::time::advance(ACK_WAIT - Duration::from_millis(1)).await;
            assert!(lease.is_held() && lease.renew());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_standing_still_it_is_lost_for_good() {
        let lease = Lease::new(ACK_WAIT);
        tokio::time::advance(ACK_WAIT).await;
        assert!(!lease.is_held());
        assert!(!lease.renew());
        assert!(!lease.is_held());
    }
}
