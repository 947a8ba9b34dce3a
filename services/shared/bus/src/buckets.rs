//! Buckets: one record per key, read directly, written by compare-and-set, watched from the beginning.

use async_nats::jetstream::kv;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use proto_schemas::subjects;
use proto_schemas::topology::{BucketSpec, bucket_stream};
use proto_schemas::wire::Wire;

use crate::{Bus, BusError, Entry, Outgoing, Published, TraceContext};

/// Header by which a bucket marks a key as deleted or purged.
pub(crate) const KV_OPERATION: &str = "KV-Operation";
/// The operation that leaves nothing but its marker.
const PURGE: &str = "PURGE";
/// The operation that leaves what was there before its marker.
const DELETE: &str = "DEL";
/// Header by which a message takes the place of all others of its subject.
const ROLLUP: (&str, &str) = ("Nats-Rollup", "sub");

/// What follows a whole bucket.
pub const ALL_KEYS: &str = ">";

/// A record and the revision it was read at.
#[derive(Debug, Clone)]
pub struct Revision<T> {
    /// Grows with every write of the key; what a compare-and-set names.
    pub revision: u64,
    /// The record.
    pub record: T,
}

/// What a key holds.
#[derive(Debug, Clone)]
pub struct Found<T> {
    /// The revision of the record, or of the marker of its removal; 0 when there is neither.
    pub revision: u64,
    /// The record, if there is one.
    pub record: Option<T>,
}

/// A key that was written or removed.
#[derive(Debug, Clone)]
pub struct Change {
    /// The key.
    pub key: String,
    /// Its bytes; none when it was removed.
    pub value: Option<Bytes>,
    /// Its revision, or that of the marker of its removal.
    pub revision: u64,
    /// Whether all that was there when watching began has been told by now.
    pub caught_up: bool,
}

/// The changes of a bucket, first what is there, then what happens.
pub type Changes = BoxStream<'static, Result<Change, BusError>>;

impl Bus {
    /// Reads a key.
    ///
    /// # Errors
    /// [`BusError::Undecodable`] when it holds something else; [`BusError`] when the broker is away.
    pub async fn get<T: Wire>(
        &self,
        bucket: &BucketSpec,
        key: &str,
    ) -> Result<Option<Revision<T>>, BusError> {
        let Found { revision, record } = self.look_up(bucket, key).await?;
        Ok(record.map(|record| Revision { revision, record }))
    }

    /// Reads a key, and tells one that was removed from one that never was.
    ///
    /// # Errors
    /// As for [`Bus::get`].
    pub async fn look_up<T: Wire>(&self, bucket: &BucketSpec, key: &str) -> Result<Found<T>, BusError> {
        let last = self
            .last(&bucket_stream(bucket), &subjects::key(bucket.name, key))
            .await?;
        Ok(Found {
            revision: last.as_ref().map_or(0, |entry| entry.sequence),
            record: match last.filter(|entry| !entry.is_removal()) {
                Some(entry) => Some(entry.decode()?),
                None => None,
            },
        })
    }

    /// Removes what a key holds and held, if it still has `revision`, as [`Bus::look_up`] tells it. What stays is a
    /// marker without a record, whose revision is returned.
    ///
    /// # Errors
    /// [`BusError::Conflict`] when somebody else wrote first.
    pub async fn remove(
        &self,
        bucket: &BucketSpec,
        key: &str,
        revision: u64,
        trace: TraceContext,
    ) -> Result<u64, BusError> {
        let headers = [(KV_OPERATION, PURGE), ROLLUP];
        self.mark(bucket, key, revision, &headers, trace).await
    }

    /// As [`Bus::remove`], but what the key held stays in its history.
    ///
    /// # Errors
    /// [`BusError::Conflict`] when somebody else wrote first.
    pub async fn retire(
        &self,
        bucket: &BucketSpec,
        key: &str,
        revision: u64,
        trace: TraceContext,
    ) -> Result<u64, BusError> {
        let headers = [(KV_OPERATION, DELETE)];
        self.mark(bucket, key, revision, &headers, trace).await
    }

    async fn mark(
        &self,
        bucket: &BucketSpec,
        key: &str,
        revision: u64,
        headers: &[(&str, &str)],
        trace: TraceContext,
    ) -> Result<u64, BusError> {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let identity = format!("removal:{key}:{revision}:{trace}");
        let marker = Outgoing::raw(
            subjects::key(bucket.name, key),
            Bytes::new(),
            &identity,
            headers.collect(),
        );
        match self.publish(marker.after(revision)).await? {
            Published::Accepted { sequence } => Ok(sequence),
            Published::Duplicate => Err(BusError::Conflict),
        }
    }

    /// Writes a key if it still has `revision`; 0 means that it must not exist. Returns the new revision.
    ///
    /// A repetition of a write that went through (same identity, within the duplicate window) loses like any
    /// other late write.
    ///
    /// # Errors
    /// [`BusError::Conflict`] when somebody else wrote first.
    pub async fn compare_and_set<T: Wire>(
        &self,
        bucket: &BucketSpec,
        key: &str,
        revision: u64,
        record: &T,
        trace: TraceContext,
    ) -> Result<u64, BusError> {
        match self.replace(bucket, key, revision, record, trace).await {
            // A removed key does not exist, but its marker has a revision.
            Err(BusError::Conflict) if revision == 0 => match self.removal(bucket, key).await? {
                Some(marker) => self.replace(bucket, key, marker, record, trace).await,
                None => Err(BusError::Conflict),
            },
            set => set,
        }
    }

    /// As [`Bus::compare_and_set`], but the marker of a removal counts like a record: who found nothing loses against
    /// a removal that came since. `revision` is that of [`Bus::look_up`].
    ///
    /// # Errors
    /// [`BusError::Conflict`] when somebody else wrote, or removed, first.
    pub async fn replace<T: Wire>(
        &self,
        bucket: &BucketSpec,
        key: &str,
        revision: u64,
        record: &T,
        trace: TraceContext,
    ) -> Result<u64, BusError> {
        let identity = format!("{}:{key}:{revision}", T::TYPE);
        let message = Outgoing::new(subjects::key(bucket.name, key), record, &identity, trace)?;
        match self.publish(message.after(revision)).await? {
            Published::Accepted { sequence } => Ok(sequence),
            Published::Duplicate => Err(BusError::Conflict),
        }
    }

    /// The revision of the marker that a removed key left behind; none when there is no marker, or a record.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn removal(&self, bucket: &BucketSpec, key: &str) -> Result<Option<u64>, BusError> {
        let last = self
            .last(&bucket_stream(bucket), &subjects::key(bucket.name, key))
            .await?;
        Ok(last.filter(Entry::is_removal).map(|entry| entry.sequence))
    }

    /// Writes a key, whatever was there.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn put<T: Wire>(
        &self,
        bucket: &BucketSpec,
        key: &str,
        record: &T,
        identity: &str,
        trace: TraceContext,
    ) -> Result<(), BusError> {
        self.publish(Outgoing::new(
            subjects::key(bucket.name, key),
            record,
            identity,
            trace,
        )?)
        .await?;
        Ok(())
    }

    /// Tells of the [`changes`](Self::changes) of keys until the watch breaks or the broker has been away. Whoever
    /// follows begins again then.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or has no such bucket.
    pub async fn hear(
        &self,
        bucket: &BucketSpec,
        keys: &str,
        mut told: impl FnMut(Change),
    ) -> Result<(), BusError> {
        let mut connected = self.connected();
        connected.mark_unchanged();
        let mut changes = self.changes(bucket, keys).await?;
        loop {
            let change = tokio::select! {
                change = changes.next() => change,
                // The watch itself takes seconds to notice that the broker was away.
                _ = connected.changed() => return Ok(()),
            };
            match change.transpose()? {
                Some(change) => told(change),
                None => return Ok(()),
            }
        }
    }

    /// Follows keys of a bucket, all of them for [`ALL_KEYS`]: each key's present value, then every change.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or has no such bucket.
    pub async fn changes(&self, bucket: &BucketSpec, keys: &str) -> Result<Changes, BusError> {
        self.check_connected()?;
        let unavailable = |error: &dyn std::error::Error| BusError::Unavailable(error.to_string());
        let store = self
            .jetstream
            .get_key_value(bucket.name)
            .await
            .map_err(|error| unavailable(&error))?;
        let watch = store
            .watch_with_history(keys)
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(watch
            .map(move |entry| match entry {
                Ok(entry) => Ok(Change {
                    key: entry.key,
                    value: match entry.operation {
                        kv::Operation::Put => Some(entry.value),
                        kv::Operation::Delete | kv::Operation::Purge => None,
                    },
                    revision: entry.revision,
                    caught_up: entry.seen_current,
                }),
                Err(error) => Err(BusError::Unavailable(error.to_string())),
            })
            .boxed())
    }

    /// The number of keys in a bucket, to know whether there is anything to wait for.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or has no such bucket.
    pub async fn is_empty(&self, bucket: &BucketSpec) -> Result<bool, BusError> {
        let stream = self
            .jetstream
            .get_stream(bucket_stream(bucket))
            .await
            .map_err(|error| BusError::Unavailable(error.to_string()))?;
        Ok(stream.cached_info().state.messages == 0)
    }
}
