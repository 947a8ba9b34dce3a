//! What was done outside cannot be taken back: a webhook was called, a message was sent. What says so is written down
//! until it stands, or it would be done again. A broker's node that is lost costs a few seconds, in which the others
//! choose who takes its place.

use std::time::Duration;

use bus::BusError;
use tokio::time::{Instant, sleep};

/// For how long one tries. Longer than a cluster takes to choose a leader, and shorter than a drain.
const PATIENCE: Duration = Duration::from_secs(30);
/// The first pause, and the longest; each is twice the one before.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(800)];

/// Writes until the broker has taken it or refuses it for good, or for half a minute. The write may be repeated although
/// it was taken, when its confirmation is lost.
///
/// # Errors
/// As for the write; [`BusError::Unavailable`] when the broker was away all the time.
pub async fn insist<T, Writing>(mut write: impl FnMut() -> Writing) -> Result<T, BusError>
where
    Writing: Future<Output = Result<T, BusError>>,
{
    let end = Instant::now() + PATIENCE;
    let [mut pause, longest] = PAUSES;
    loop {
        match write().await {
            Err(BusError::Unavailable(_)) if Instant::now() + pause < end => sleep(pause).await,
            written => return written,
        }
        pause = (pause * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    fn away() -> BusError {
        BusError::Unavailable("no leader".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_broker_takes_in_time_is_written() {
        let began = Instant::now();
        let mut count = 0;
        let written = insist(|| {
            count += 1;
            let is_back = began.elapsed() >= Duration::from_secs(9);
            ready(if is_back { Ok(7) } else { Err(away()) })
        });
        assert_eq!(written.await.unwrap(), 7);
        assert!((10..20).contains(&count), "{count}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_stays_away_is_told_of_within_half_a_minute() {
        let began = Instant::now();
        let written: Result<(), BusError> = insist(|| ready(Err(away()))).await;
        assert!(matches!(written, Err(BusError::Unavailable(_))));
        assert!(began.elapsed() <= PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_not_written_again() {
        let mut count = 0;
        let written: Result<(), BusError> = insist(|| {
            count += 1;
            ready(Err(BusError::Conflict))
        })
        .await;
        assert!(matches!(written, Err(BusError::Conflict)));
        assert_eq!(count, 1);
    }
}
