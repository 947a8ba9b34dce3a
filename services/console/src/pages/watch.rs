//! A message watched on its way: an event whenever its story has gone on, until it has come to its end.

use std::convert::Infallible;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use operations::trace::{self, Trace};
use proto_schemas::ids::MessageId;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::page::{Reply, Visit};
use crate::problem::Problem;
use crate::web::Desk;

/// The first pause before the story is read again. Each time reads the inbox and the transcripts of the conversation, and
/// up to three records, but no dead letters: those the page itself looks for, when it is fetched.
const PERIOD: Duration = Duration::from_millis(150);
/// The longest pause: each is twice the one before while nothing changes, as a webhook may take minutes.
const LONGEST_PERIOD: Duration = Duration::from_secs(2);
/// For how long a message is watched; a browser asks again by itself then.
const LONGEST: Duration = Duration::from_secs(60);
/// When another one may watch, if too many do.
const WAIT: Duration = Duration::from_secs(5);

/// What an event holds: browsers drop one that holds nothing.
const NEWS: &str = "the page has news";

/// What is watched, and what of it was told.
struct Watched {
    desk: Arc<Desk>,
    message: MessageId,
    told: Option<Trace>,
    until: Instant,
    _permit: OwnedSemaphorePermit,
}

/// The events of the message that the query names.
pub(super) fn events(desk: Arc<Desk>, visit: &Visit) -> Result<Reply, Problem> {
    let nothing = || Problem::NotFound("the address names no message");
    let message = visit.asked("message").ok_or_else(nothing)?;
    let message = MessageId::new(message).map_err(|_| nothing())?;
    let permit = Arc::clone(&desk.watching).try_acquire_owned();
    let watched = Watched {
        desk,
        message,
        told: None,
        until: Instant::now() + LONGEST,
        _permit: permit.map_err(|_| Problem::TooManyRequests(WAIT))?,
    };
    let response = Sse::new(told(watched)).keep_alive(KeepAlive::default());
    Ok(Reply::Other(response.into_response()))
}

fn told(watched: Watched) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    stream::unfold(Some(watched), async |watched| {
        let mut watched = watched?;
        let news = watched.news().await?;
        let name = if news.is_finished { "finished" } else { "changed" };
        let next = (!news.is_finished).then(|| {
            watched.told = Some(news);
            watched
        });
        Some((Ok(Event::default().event(name).data(NEWS)), next))
    })
}

impl Watched {
    /// The story as soon as it has gone on; none when it is time to end.
    async fn news(&mut self) -> Option<Trace> {
        let shutdown = self.desk.tasks.shutdown().clone();
        for pause in pauses() {
            let read = trace::so_far(&self.desk.bus, &self.message).await;
            match read {
                Ok(Some(trace)) if self.told.as_ref() != Some(&trace) => return Some(trace),
                // A replica of the broker may not have it yet, and a broker that is away comes back.
                Ok(Some(_) | None) | Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = tokio::time::sleep_until(self.until) => return None,
                () = shutdown.cancelled() => return None,
            }
        }
        None
    }
}

/// The pauses while nothing changes, without end.
fn pauses() -> impl Iterator<Item = Duration> + Send {
    iter::successors(Some(PERIOD), |pause| Some((*pause * 2).min(LONGEST_PERIOD)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_two_seconds_and_have_no_end() {
        let millis: Vec<u128> = pauses().take(100).map(|pause| pause.as_millis()).collect();
        assert_eq!(millis[..6], [150, 300, 600, 1200, 2000, 2000]);
        assert_eq!((millis.len(), millis[99]), (100, 2000));
    }
}
