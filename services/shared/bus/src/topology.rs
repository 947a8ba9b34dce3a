//! Makes the broker look like `proto_schemas::topology`, as often as one likes.

use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::CreateStreamErrorKind;
use async_nats::jetstream::stream::{
    self, DeleteMessageErrorKind, DiscardPolicy, RetentionPolicy, StorageType,
};
use async_nats::jetstream::{kv, object_store};
use proto_schemas::topology::{
    ATTACHMENTS, BUCKETS, BucketSpec, CONSUMERS, ConsumerSpec, Retention, STREAMS, StreamSpec,
};

use crate::{Bus, BusError};

/// How long a publish is recognised when it is repeated. Longer costs memory for every message of the window;
/// what is repeated later is recognised by the context record and the transcript.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// "stream name already in use with a different configuration".
const STREAM_DIFFERS: u64 = 10058;
/// How many pulls may wait at a consumer: replicas times their streams.
const MAX_WAITING: i64 = 2048;

/// What happens to a stream or consumer that is there but looks otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDifference {
    /// It stays, with a warning: an operator may have tuned it.
    Keep,
    /// It is made to look as this build wants it.
    Update,
}

/// What a consumer has to do, for metrics and scaling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerState {
    /// Messages not delivered yet.
    pub pending: u64,
    /// Messages delivered and not settled: in work, or parked by a delayed nak.
    pub ack_pending: u64,
    /// Messages delivered more than once and not settled.
    pub redelivered: u64,
    /// The sequence of the newest message that was delivered.
    pub delivered_through: u64,
    /// The sequence up to which every message is settled.
    pub settled_through: u64,
    /// The server of a cluster that hands its messages out.
    pub leader: Option<String>,
}

impl Bus {
    /// Creates what is missing: streams, buckets, the object store, consumers.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn ensure_topology(&self, on_difference: OnDifference) -> Result<(), BusError> {
        self.check_connected()?;
        for spec in &STREAMS {
            self.ensure_stream(spec.name, self.stream_config(spec), on_difference)
                .await?;
        }
        for spec in &BUCKETS {
            self.make_bucket(spec, on_difference).await?;
        }
        self.ensure_object_store().await?;
        for spec in &CONSUMERS {
            self.ensure_consumer(spec, on_difference).await?;
        }
        Ok(())
    }

    /// Creates a bucket if it is not there: one in memory is gone when its server has ended.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away or refuses.
    pub async fn ensure_bucket(&self, spec: &BucketSpec) -> Result<(), BusError> {
        self.check_connected()?;
        self.make_bucket(spec, OnDifference::Keep).await
    }

    /// What a consumer has to do.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away or there is no such consumer.
    pub async fn consumer_state(&self, spec: &ConsumerSpec) -> Result<ConsumerState, BusError> {
        let stream = self.stream_unseen(spec.stream).await?;
        let info = stream.consumer_info(spec.name).await.map_err(unavailable)?;
        Ok(ConsumerState {
            pending: info.num_pending,
            ack_pending: info.num_ack_pending as u64,
            redelivered: info.num_redelivered as u64,
            delivered_through: info.delivered.stream_sequence,
            settled_through: info.ack_floor.stream_sequence,
            leader: info.cluster.and_then(|cluster| cluster.leader),
        })
    }

    /// Removes one message from a stream, and overwrites its bytes: a dead letter that was replayed or purged, a message
    /// that was left in its slot, what an operator wants forgotten.
    ///
    /// # Errors
    /// [`BusError::Refused`] when it is not there, [`BusError::Unavailable`] when the broker is away.
    pub async fn delete(&self, stream: &str, sequence: u64) -> Result<(), BusError> {
        let stream = self.stream_unseen(stream).await?;
        stream
            .delete_message(sequence)
            .await
            .map(|_| ())
            .map_err(|error| match error.kind() {
                DeleteMessageErrorKind::JetStream(refused) => BusError::Refused {
                    code: refused.error_code().0,
                    description: refused.to_string(),
                },
                DeleteMessageErrorKind::Request | DeleteMessageErrorKind::TimedOut => unavailable(error),
            })
    }

    /// As [`Bus::delete`], and content when the message is gone already. `subject` is its subject, or a pattern for it.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away, or refuses although the message is there.
    pub async fn delete_if_there(&self, stream: &str, subject: &str, sequence: u64) -> Result<(), BusError> {
        match self.delete(stream, sequence).await {
            Err(refused @ BusError::Refused { .. }) => {
                let found = self.first(stream, subject, sequence).await?;
                let is_there = found.is_some_and(|found| found.sequence == sequence);
                if is_there { Err(refused) } else { Ok(()) }
            }
            deleted => deleted,
        }
    }

    /// Removes all messages of a literal subject, which is also how the key of a bucket goes without a marker: buckets
    /// refuse [`Bus::delete`].
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away or refuses.
    pub async fn purge(&self, stream: &str, subject: &str) -> Result<(), BusError> {
        let stream = self.stream_unseen(stream).await?;
        let purged = stream.purge().filter(subject).await;
        purged.map(|_| ()).map_err(unavailable)
    }

    /// A stream by its name alone: whether it is there is not asked.
    async fn stream_unseen(&self, name: &str) -> Result<stream::Stream<()>, BusError> {
        self.check_connected()?;
        self.jetstream.get_stream_no_info(name).await.map_err(unavailable)
    }

    async fn ensure_stream(
        &self,
        name: &str,
        config: stream::Config,
        on_difference: OnDifference,
    ) -> Result<(), BusError> {
        let Err(error) = self.jetstream.create_stream(config.clone()).await else {
            return Ok(());
        };
        let differs = matches!(error.kind(), CreateStreamErrorKind::JetStream(inner) if inner.error_code().0 == STREAM_DIFFERS);
        match on_difference {
            OnDifference::Keep if differs => {
                tracing::warn!(
                    stream = name,
                    "the stream is not configured as this build would; left as it is"
                );
                Ok(())
            }
            OnDifference::Update if differs => {
                let updated = self.jetstream.update_stream(config).await;
                updated.map(|_| ()).map_err(|error| refused(name, &error))
            }
            OnDifference::Keep | OnDifference::Update => Err(refused(name, &error)),
        }
    }

    fn stream_config(&self, spec: &StreamSpec) -> stream::Config {
        let slots = spec.retention == Retention::Slots;
        stream::Config {
            name: spec.name.to_owned(),
            description: Some(spec.about.to_owned()),
            subjects: spec.subjects.iter().map(|&subject| subject.to_owned()).collect(),
            retention: if slots {
                RetentionPolicy::WorkQueue
            } else {
                RetentionPolicy::Limits
            },
            discard: if slots {
                DiscardPolicy::New
            } else {
                DiscardPolicy::Old
            },
            discard_new_per_subject: slots,
            max_messages_per_subject: spec.max_per_subject.unwrap_or(-1),
            max_age: spec.max_age.unwrap_or_default(),
            max_bytes: spec.max_bytes.unwrap_or(-1),
            storage: StorageType::File,
            num_replicas: self.config.replicas,
            allow_direct: true,
            duplicate_window: DUPLICATE_WINDOW,
            ..Default::default()
        }
    }

    async fn make_bucket(&self, spec: &BucketSpec, on_difference: OnDifference) -> Result<(), BusError> {
        let config = || kv::Config {
            bucket: spec.name.to_owned(),
            description: spec.about.to_owned(),
            history: spec.history,
            max_age: spec.ttl.unwrap_or_default(),
            storage: if spec.in_memory {
                StorageType::Memory
            } else {
                StorageType::File
            },
            num_replicas: self.config.replicas,
            ..Default::default()
        };
        match on_difference {
            OnDifference::Keep if self.jetstream.get_key_value(spec.name).await.is_ok() => Ok(()),
            OnDifference::Keep => {
                let created = self.jetstream.create_key_value(config()).await;
                created.map(|_| ()).map_err(|error| refused(spec.name, &error))
            }
            OnDifference::Update => {
                let updated = self.jetstream.create_or_update_key_value(config()).await;
                updated.map(|_| ()).map_err(|error| refused(spec.name, &error))
            }
        }
    }

    async fn ensure_object_store(&self) -> Result<(), BusError> {
        if self.jetstream.get_object_store(ATTACHMENTS.name).await.is_ok() {
            return Ok(());
        }
        let config = object_store::Config {
            bucket: ATTACHMENTS.name.to_owned(),
            max_age: ATTACHMENTS.ttl,
            max_bytes: -1,
            storage: StorageType::File,
            num_replicas: self.config.replicas,
            ..Default::default()
        };
        let created = self.jetstream.create_object_store(config).await;
        created
            .map(|_| ())
            .map_err(|error| refused(ATTACHMENTS.name, &error))
    }

    async fn ensure_consumer(
        &self,
        spec: &ConsumerSpec,
        on_difference: OnDifference,
    ) -> Result<(), BusError> {
        let stream = self
            .jetstream
            .get_stream_no_info(spec.stream)
            .await
            .map_err(|error| refused(spec.stream, &error))?;
        if on_difference == OnDifference::Keep && stream.consumer_info(spec.name).await.is_ok() {
            return Ok(());
        }
        let config = pull::Config {
            durable_name: Some(spec.name.to_owned()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.config.ack_wait.unwrap_or(spec.ack_wait),
            // Unlimited: at a limit the server would leave the message in the stream for ever, unseen.
            max_deliver: -1,
            max_ack_pending: spec.max_ack_pending,
            headers_only: spec.headers_only,
            max_waiting: MAX_WAITING,
            ..Default::default()
        };
        let created = stream.create_consumer(config).await;
        created.map(|_| ()).map_err(|error| refused(spec.name, &error))
    }
}

fn unavailable(error: impl std::error::Error) -> BusError {
    BusError::Unavailable(error.to_string())
}

fn refused(name: &str, error: &dyn std::error::Error) -> BusError {
    BusError::Unavailable(format!("{name}: {error}"))
}
