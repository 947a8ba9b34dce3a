//! A question that reaches the broker while it chooses a leader is answered by nobody, not even when it has chosen.
//! Who waits for the answer learns of the leader only when that question has timed out. So the next one does not wait
//! for the end of the one before.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Begins attempts, `pause` apart, until one succeeds, whichever that is; those under way are dropped with it. An attempt
/// must end by itself, or they would become ever more. What fails is told to `failed`.
pub(crate) async fn first_success<T, E, Attempt>(
    pause: Duration,
    mut begin: impl FnMut() -> Attempt,
    mut failed: impl FnMut(E),
) -> T
where
    Attempt: Future<Output = Result<T, E>>,
{
    let mut under_way = FuturesUnordered::from_iter([begin()]);
    let mut next = interval_at(Instant::now() + pause, pause);
    next.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = next.tick() => under_way.push(begin()),
            Some(ended) = under_way.next(), if !under_way.is_empty() => match ended {
                Ok(found) => return found,
                Err(error) => failed(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt;
    use tokio::time::sleep;

    use super::*;

    const PAUSE: Duration = Duration::from_millis(200);

    #[tokio::test(start_paused = true)]
    async fn the_next_attempt_does_not_wait_for_one_that_is_never_answered() {
        let (began, mut begun) = (Instant::now(), 0);
        let answers = || {
            begun += 1;
            match begun {
                1 => pending::<Result<u32, ()>>().boxed(),
                _ => ready(Ok(begun)).boxed(),
            }
        };
        assert_eq!(first_success(PAUSE, answers, |()| {}).await, 2);
        assert_eq!(began.elapsed(), PAUSE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_longer_than_the_pause_is_heard() {
        let (began, slow) = (Instant::now(), PAUSE * 10);
        let answers = || sleep(slow).map(|()| Ok::<_, ()>(()));
        first_success(PAUSE, answers, |()| {}).await;
        assert_eq!(began.elapsed(), slow);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_at_once_is_tried_again_after_the_pause() {
        let (began, mut begun, mut failures) = (Instant::now(), 0, 0);
        let answers = || {
            begun += 1;
            ready(if begun < 4 { Err(()) } else { Ok(()) })
        };
        first_success(PAUSE, answers, |()| failures += 1).await;
        assert_eq!((failures, began.elapsed()), (3, PAUSE * 3));
    }
}
