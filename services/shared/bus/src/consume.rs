//! Taking work: a shared durable consumer, pulled in small batches, each message settled by its taker.

use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::{MessagesErrorKind, Stream};
use async_nats::jetstream::message::{AckKind, Acker};
use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;
use futures_util::StreamExt;
use proto_schemas::ids::UnixMillis;
use proto_schemas::topology::ConsumerSpec;
use proto_schemas::wire::{self, Wire};

use crate::buckets::KV_OPERATION;
use crate::{Bus, BusError, TraceContext};

/// How long one pull waits at the server before it is renewed.
const PULL_EXPIRES: Duration = Duration::from_secs(20);
/// The server says at least this often that an idle pull still stands.
const PULL_HEARTBEAT: Duration = Duration::from_secs(5);

/// A durable consumer.
pub struct Consumer {
    inner: PullConsumer,
    ack_wait: Duration,
}

/// Work as it arrives.
pub struct WorkStream {
    inner: Stream,
}

/// One message of a stream, to be settled exactly once.
pub struct Work {
    /// Its subject.
    pub subject: String,
    /// Its bytes.
    pub payload: Bytes,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// How often it was delivered, this time included.
    pub delivered: u64,
    /// When the stream stored it.
    pub stored_at: UnixMillis,
    headers: HeaderMap,
    acker: Acker,
}

impl Bus {
    /// Finds a consumer that the topology created.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when it is not there (yet) or the broker is away.
    pub async fn consumer(&self, spec: &ConsumerSpec) -> Result<Consumer, BusError> {
        self.check_connected()?;
        let inner: PullConsumer = self
            .jetstream
            .get_consumer_from_stream(spec.name, spec.stream)
            .await
            .map_err(|error| BusError::Unavailable(error.to_string()))?;
        let ack_wait = inner.cached_info().config.ack_wait;
        Ok(Consumer { inner, ack_wait })
    }
}

impl Consumer {
    /// How long the server waits for a sign of life, as the consumer is configured.
    pub fn ack_wait(&self) -> Duration {
        self.ack_wait
    }

    /// The server of a cluster that handed its messages out when it was found.
    pub fn leader(&self) -> Option<&str> {
        self.inner.cached_info().cluster.as_ref()?.leader.as_deref()
    }

    /// Begins to pull, at most `batch` messages ahead of what is taken.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away.
    pub async fn work(&self, batch: usize) -> Result<WorkStream, BusError> {
        let inner = self
            .inner
            .stream()
            .max_messages_per_batch(batch)
            .expires(PULL_EXPIRES)
            .heartbeat(PULL_HEARTBEAT)
            .messages()
            .await
            .map_err(|error| BusError::Unavailable(error.to_string()))?;
        Ok(WorkStream { inner })
    }
}

impl WorkStream {
    /// Waits for the next message. After an error the stream is spent: open another.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the pull broke, because the broker is away or the consumer is gone.
    pub async fn next(&mut self) -> Result<Work, BusError> {
        match self.inner.next().await {
            Some(Ok(message)) => Ok(Work::from_message(message)),
            Some(Err(error)) => Err(match error.kind() {
                MessagesErrorKind::MissingHeartbeat => BusError::Unavailable("missed a heartbeat".to_owned()),
                MessagesErrorKind::ConsumerDeleted
                | MessagesErrorKind::Pull
                | MessagesErrorKind::PushBasedConsumer
                | MessagesErrorKind::NoResponders
                | MessagesErrorKind::RequestLimitExceeded
                | MessagesErrorKind::Other => BusError::Unavailable(error.to_string()),
            }),
            None => Err(BusError::Unavailable("the pull ended".to_owned())),
        }
    }
}

impl Work {
    fn from_message(message: async_nats::jetstream::Message) -> Self {
        let (sequence, delivered, stored_at) = message.info().map_or((0, 1, UnixMillis(0)), |info| {
            let millis = info.published.unix_timestamp_nanos() / 1_000_000;
            (
                info.stream_sequence,
                u64::try_from(info.delivered).unwrap_or(1).max(1),
                UnixMillis(u64::try_from(millis).unwrap_or(0)),
            )
        });
        let (message, acker) = message.split();
        let subject = message.subject.to_string();
        Self {
            subject,
            // Its own copy. The client's is a part of what it read at once, all of which would stay as long.
            payload: Bytes::copy_from_slice(&message.payload),
            headers: message.headers.unwrap_or_default(),
            sequence,
            delivered,
            stored_at,
            acker,
        }
    }

    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::as_str)
    }

    /// Whether it says that a key of a bucket was removed.
    pub fn is_removal(&self) -> bool {
        self.header(KV_OPERATION).is_some()
    }

    /// The value it holds.
    ///
    /// # Errors
    /// [`wire::DecodeError`] when it holds something else; permanent.
    pub fn decode<T: Wire>(&self) -> Result<T, wire::DecodeError> {
        wire::decode(self.header(wire::MESSAGE_TYPE), &self.payload)
    }

    /// The trace it belongs to; a new one when it brought none.
    pub fn trace(&self) -> TraceContext {
        self.header(wire::TRACEPARENT)
            .and_then(TraceContext::parse)
            .unwrap_or_default()
    }

    /// Done: the stream may let go of it. Not confirmed: a lost acknowledgement is a redelivery, which every
    /// stage bears, and costs less than a confirmation for each message.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the client has shut down.
    pub async fn ack(&self) -> Result<(), BusError> {
        self.settle(AckKind::Ack).await
    }

    /// Not now: deliver it again after `delay`.
    ///
    /// # Errors
    /// As for [`Work::ack`].
    pub async fn nak(&self, delay: Duration) -> Result<(), BusError> {
        self.settle(AckKind::Nak(Some(delay))).await
    }

    /// Never again: its dead letter is confirmed.
    ///
    /// # Errors
    /// As for [`Work::ack`].
    pub async fn term(&self) -> Result<(), BusError> {
        self.settle(AckKind::Term).await
    }

    /// A sign of life: `ack_wait` starts anew, if the broker hears it.
    ///
    /// # Errors
    /// As for [`Work::ack`].
    pub async fn keep_alive(&self) -> Result<(), BusError> {
        self.settle(AckKind::Progress).await
    }

    async fn settle(&self, kind: AckKind) -> Result<(), BusError> {
        self.acker
            .ack_with(kind)
            .await
            .map_err(|error| BusError::Unavailable(error.to_string()))
    }
}
