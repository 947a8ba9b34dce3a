//! Direct gets: the newest message of a subject, and a subject's messages from a sequence on.

use std::time::{Duration, UNIX_EPOCH};

use async_nats::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use proto_schemas::ids::{BrokerMicros, UnixMillis};
use proto_schemas::topology::{BucketSpec, bucket_stream};
use proto_schemas::wire::{self, Wire};
use serde::{Deserialize, Serialize};

use crate::buckets::KV_OPERATION;
use crate::connect::REQUEST_TIMEOUT;
use crate::publish::request_failure;
use crate::{Bus, BusError};

const SEQUENCE: &str = "Nats-Sequence";
const SUBJECT: &str = "Nats-Subject";
const NUM_PENDING: &str = "Nats-Num-Pending";
const TIME_STAMP: &str = "Nats-Time-Stamp";
/// Status that ends a batch.
const END_OF_BATCH: u16 = 204;
const NOT_FOUND: u16 = 404;
/// Messages of a page, and about how many bytes.
const PAGE: usize = 256;
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// A stored message.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its subject.
    pub subject: String,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the server stored it, in RFC 3339.
    pub stored_at: String,
    /// Its bytes.
    pub payload: Bytes,
    headers: HeaderMap,
}

impl Entry {
    /// The value it holds.
    ///
    /// # Errors
    /// [`wire::DecodeError`] when it holds something else.
    pub fn decode<T: Wire>(&self) -> Result<T, wire::DecodeError> {
        wire::decode(self.header(wire::MESSAGE_TYPE), &self.payload)
    }

    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// Whether it says that a key of a bucket was removed.
    pub fn is_removal(&self) -> bool {
        self.header(KV_OPERATION).is_some()
    }

    /// When the server stored it; none when it did not say so in a way that can be read.
    pub fn stored_millis(&self) -> Option<UnixMillis> {
        let time = async_nats::datetime::parse_rfc3339(&self.stored_at).ok()?;
        let millis = u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()?;
        Some(UnixMillis(millis))
    }
}

/// Messages of a subject, in order.
#[derive(Debug, Default)]
pub struct Entries {
    /// The messages.
    pub list: Vec<Entry>,
    /// How many there are behind the last one.
    pub behind: u64,
}

#[derive(Serialize)]
struct BatchRequest<'a> {
    seq: u64,
    next_by_subj: &'a str,
    batch: usize,
    max_bytes: usize,
}

#[derive(Deserialize)]
struct StreamTime {
    ts: String,
}

#[derive(Serialize)]
struct NextRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<String>,
    next_by_subj: &'a str,
}

impl Bus {
    /// The newest message of a literal subject.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn last(&self, stream: &str, subject: &str) -> Result<Option<Entry>, BusError> {
        self.check_connected()?;
        let answer = self
            .client
            .request(format!("$JS.API.DIRECT.GET.{stream}.{subject}"), Bytes::new())
            .await
            .map_err(|error| request_failure(error.kind(), &error))?;
        entry_of(answer).map(|found| found.map(|(entry, _)| entry))
    }

    /// What the clock says of the server that leads a bucket: it was so at some moment between question and answer.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away or has no such bucket.
    pub async fn time(&self, bucket: &BucketSpec) -> Result<BrokerMicros, BusError> {
        self.check_connected()?;
        let answer = self
            .client
            .request(
                format!("$JS.API.STREAM.INFO.{}", bucket_stream(bucket)),
                Bytes::new(),
            )
            .await
            .map_err(|error| request_failure(error.kind(), &error))?;
        let no_time = |error: &dyn std::fmt::Display| {
            BusError::Unavailable(format!("the broker did not tell its time: {error}"))
        };
        let told: StreamTime = serde_json::from_slice(&answer.payload).map_err(|error| no_time(&error))?;
        let time = async_nats::datetime::parse_rfc3339(&told.ts).map_err(|error| no_time(&error))?;
        let micros = u64::try_from(time.unix_timestamp_nanos() / 1000).map_err(|error| no_time(&error))?;
        Ok(BrokerMicros(micros))
    }

    /// The first message of a literal subject, or of all (`>`), with a sequence of at least `from`. Cheaper than
    /// [`Bus::entries`] where there is none or one.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn first(&self, stream: &str, subject: &str, from: u64) -> Result<Option<Entry>, BusError> {
        let request = NextRequest {
            seq: Some(from.max(1)),
            start_time: None,
            next_by_subj: subject,
        };
        self.next(stream, &request).await
    }

    /// The first message of a subject that was stored at this moment or later. A wildcard is for the command line only.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn first_since(
        &self,
        stream: &str,
        subject: &str,
        since: BrokerMicros,
    ) -> Result<Option<Entry>, BusError> {
        let since = UNIX_EPOCH + Duration::from_micros(since.0);
        let request = NextRequest {
            seq: None,
            start_time: Some(humantime::format_rfc3339_micros(since).to_string()),
            next_by_subj: subject,
        };
        self.next(stream, &request).await
    }

    async fn next(&self, stream: &str, request: &NextRequest<'_>) -> Result<Option<Entry>, BusError> {
        self.check_connected()?;
        let payload = serde_json::to_vec(request).map_err(BusError::Unencodable)?;
        let answer = self
            .client
            .request(format!("$JS.API.DIRECT.GET.{stream}"), payload.into())
            .await
            .map_err(|error| request_failure(error.kind(), &error))?;
        entry_of(answer).map(|found| found.map(|(entry, _)| entry))
    }

    /// The messages of a subject with a sequence of at least `from`, oldest first: at most `count`, and about
    /// `max_bytes`. A literal subject is quick; a wildcard walks the stream.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn entries(
        &self,
        stream: &str,
        subject: &str,
        from: u64,
        count: usize,
        max_bytes: usize,
    ) -> Result<Entries, BusError> {
        self.check_connected()?;
        let request = BatchRequest {
            seq: from.max(1),
            next_by_subj: subject,
            batch: count,
            max_bytes,
        };
        let payload = serde_json::to_vec(&request).map_err(BusError::Unencodable)?;
        let inbox = self.client.new_inbox();
        let unavailable = |error: &dyn std::error::Error| BusError::Unavailable(error.to_string());
        let mut answers = self
            .client
            .subscribe(inbox.clone())
            .await
            .map_err(|error| unavailable(&error))?;
        self.client
            .publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, payload.into())
            .await
            .map_err(|error| unavailable(&error))?;
        tokio::time::timeout(REQUEST_TIMEOUT, collect(&mut answers))
            .await
            .map_err(|_| BusError::Unavailable(format!("reading {stream} took too long")))?
    }

    /// All messages of a subject with a sequence of at least `from`, oldest first, a page of them at a time.
    pub fn pages<'a>(&'a self, stream: &'a str, subject: &'a str, from: u64) -> Pages<'a> {
        Pages {
            bus: self,
            stream,
            subject,
            from: Some(from),
        }
    }

    /// Visits all messages of a subject with a sequence of at least `from`, oldest first, and holds a page of them at a
    /// time.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses; what was visited by then was.
    pub async fn each(
        &self,
        stream: &str,
        subject: &str,
        from: u64,
        mut visit: impl FnMut(Entry),
    ) -> Result<(), BusError> {
        let mut pages = self.pages(stream, subject, from);
        while let Some(page) = pages.next().await? {
            page.into_iter().for_each(&mut visit);
        }
        Ok(())
    }
}

/// A subject's messages, to be read page by page.
pub struct Pages<'a> {
    bus: &'a Bus,
    stream: &'a str,
    subject: &'a str,
    /// Where the next page begins; none when there is none.
    from: Option<u64>,
}

impl Pages<'_> {
    /// The sequence from which the next page is read; none when there is none.
    pub fn begins(&self) -> Option<u64> {
        self.from
    }

    /// The next page; none behind the last one.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn next(&mut self) -> Result<Option<Vec<Entry>>, BusError> {
        let Some(from) = self.from else {
            return Ok(None);
        };
        let page = self
            .bus
            .entries(self.stream, self.subject, from, PAGE, PAGE_BYTES)
            .await?;
        let last = page.list.last().map(|entry| entry.sequence);
        self.from = last.filter(|_| page.behind > 0).map(|last| last + 1);
        Ok(last.map(|_| page.list))
    }
}

async fn collect(answers: &mut async_nats::Subscriber) -> Result<Entries, BusError> {
    let mut entries = Entries::default();
    while let Some(answer) = answers.next().await {
        match answer.status.map(|status| status.as_u16()) {
            Some(END_OF_BATCH) => {
                entries.behind = pending(&answer);
                return Ok(entries);
            }
            Some(NOT_FOUND) => return Ok(entries),
            Some(_) | None => {}
        }
        if let Some((entry, _)) = entry_of(answer)? {
            entries.list.push(entry);
        }
    }
    Err(BusError::Unavailable(
        "the connection closed while reading".to_owned(),
    ))
}

fn pending(answer: &async_nats::Message) -> u64 {
    let header = answer
        .headers
        .as_ref()
        .and_then(|headers| headers.get(NUM_PENDING));
    header.and_then(|value| value.as_str().parse().ok()).unwrap_or(0)
}

fn entry_of(answer: async_nats::Message) -> Result<Option<(Entry, u64)>, BusError> {
    match answer.status {
        None => {}
        Some(status) if status.as_u16() == NOT_FOUND => return Ok(None),
        Some(StatusCode::NO_RESPONDERS) => {
            return Err(BusError::Unavailable("no stream answers direct gets".to_owned()));
        }
        Some(status) => {
            let description = answer.description.unwrap_or_default();
            return Err(BusError::Refused {
                code: status.as_u16().into(),
                description,
            });
        }
    }
    let left = pending(&answer);
    let headers = answer.headers.unwrap_or_default();
    let text = |name: &str| {
        headers
            .get(name)
            .map(|value| value.as_str().to_owned())
            .unwrap_or_default()
    };
    let sequence = text(SEQUENCE)
        .parse()
        .map_err(|_| BusError::Unavailable("a stored message came without its sequence".to_owned()))?;
    let entry = Entry {
        subject: text(SUBJECT),
        sequence,
        stored_at: text(TIME_STAMP),
        payload: answer.payload,
        headers,
    };
    Ok(Some((entry, left)))
}
