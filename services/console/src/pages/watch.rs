//! A message watched on its way: an event whenever its story has gone on, until it has come to its end.

use std::convert::Infallible;
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

/// How often the story is read. Each time costs the broker a handful of small reads.
const PERIOD: Duration = Duration::from_millis(150);
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
        loop {
            let read = trace::of(&self.desk.bus, &self.message).await;
            match read {
                Ok(Some(trace)) if self.told.as_ref() != Some(&trace) => return Some(trace),
                // A replica of the broker may not have it yet, and a broker that is away comes back.
                Ok(Some(_) | None) | Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(PERIOD) => {}
                () = tokio::time::sleep_until(self.until) => return None,
                () = shutdown.cancelled() => return None,
            }
        }
    }
}
