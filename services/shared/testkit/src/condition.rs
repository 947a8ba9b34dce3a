//! Waiting for a condition: the only place that sleeps until something is so.

use std::time::Duration;

/// How long a test waits before it says that something does not happen: work of a killed process comes back
/// after its consumer's `ack_wait`, and two of these with time to act must fit in.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Pause between two looks: below what a person notices, above what would keep a core busy.
const INTERVAL: Duration = Duration::from_millis(5);

/// Waits until `probe` says true.
///
/// # Panics
/// After `deadline`, with `what` was waited for. A probe that hangs is cut off at the same moment.
pub async fn wait_until(deadline: Duration, what: &str, mut probe: impl AsyncFnMut() -> bool) {
    wait_for(deadline, what, async || probe().await.then_some(())).await;
}

/// Waits until `probe` finds something, and returns it. Counts real time: with a paused clock there is nothing
/// to wait for.
///
/// # Panics
/// As [`wait_until`].
pub async fn wait_for<T>(deadline: Duration, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let look = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    match tokio::time::timeout(deadline, look).await {
        Ok(found) => found,
        Err(_) => panic!("waited {deadline:?} in vain for {what}"),
    }
}

#[cfg(test)]
mod tests {
    use proto_schemas::topology::CONSUMERS;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);

    #[test]
    fn patience_outlasts_two_redeliveries_of_any_consumer() {
        let slowest = CONSUMERS.iter().map(|consumer| consumer.ack_wait).max().unwrap();
        assert!(PATIENCE > 2 * slowest, "{slowest:?}");
    }

    #[tokio::test]
    async fn the_first_find_is_returned() {
        let mut looks = 0;
        let found = wait_for(PATIENCE, "the third look", async || {
            looks += 1;
            (looks == 3).then_some(looks)
        })
        .await;
        assert_eq!(found, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "in vain for the moon")]
    async fn a_vain_wait_names_what_it_waited_for() {
        wait_until(SHORT, "the moon", async || false).await;
    }

    #[tokio::test]
    #[should_panic(expected = "in vain for an answer")]
    async fn a_probe_that_hangs_is_cut_off() {
        wait_until(SHORT, "an answer", async || std::future::pending().await).await;
    }
}
