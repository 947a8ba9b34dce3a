//! Hints, past all streams: told to whoever listens, stored nowhere, confirmed by nobody.

use async_nats::Subscriber;
use futures_util::StreamExt;
use proto_schemas::wire::{self, Wire};

use crate::question::{decode, headers};
use crate::{Bus, BusError, TraceContext};

/// Hints as they arrive. Kept over reconnects; those that were given meanwhile are lost.
pub struct Hints {
    inner: Subscriber,
}

impl Bus {
    /// Gives a hint. Whether anybody hears it is not known.
    ///
    /// # Errors
    /// [`BusError`] when it cannot even be tried.
    pub async fn hint<T: Wire>(
        &self,
        subject: String,
        hint: &T,
        trace: TraceContext,
    ) -> Result<(), BusError> {
        self.check_connected()?;
        let payload = wire::encode(hint).map_err(BusError::Unencodable)?;
        let sent = self
            .client
            .publish_with_headers(subject, headers::<T>(trace), payload.into());
        sent.await
            .map_err(|error| BusError::Unavailable(error.to_string()))
    }

    /// Hears the hints of a subject, each for one member of the group alone.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the client has shut down.
    pub async fn hints(&self, subject: &'static str, group: &str) -> Result<Hints, BusError> {
        let subscribed = self.client.queue_subscribe(subject, group.to_owned()).await;
        let inner = subscribed.map_err(|error| BusError::Unavailable(error.to_string()))?;
        Ok(Hints { inner })
    }
}

impl Hints {
    /// Waits for the next hint that can be read; none when the connection is closed for good.
    pub async fn next<T: Wire>(&mut self) -> Option<T> {
        loop {
            let message = self.inner.next().await?;
            match decode(&message) {
                Ok(hint) => return Some(hint),
                Err(error) => tracing::debug!(%error, "a hint that nobody understands"),
            }
        }
    }
}
