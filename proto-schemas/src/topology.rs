//! Streams, consumers and buckets as data. The broker is made to look like this by `bus::topology`.

use std::time::Duration;

/// One day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long `INBOX` keeps an entry. A message older than this has had its outcome or a dead letter.
pub const INBOX_AGE: Duration = Duration::from_secs(30 * DAY.as_secs());

/// How a stream lets go of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// By age (and, where given, size).
    Limits,
    /// When they are acknowledged; one message per subject, and a second one is refused: the subject is a slot.
    Slots,
}

/// A stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamSpec {
    /// Its name.
    pub name: &'static str,
    /// What it captures.
    pub subjects: &'static [&'static str],
    /// How it lets go.
    pub retention: Retention,
    /// The longest a message stays; for ever when none.
    pub max_age: Option<Duration>,
    /// The most it holds, in bytes; the oldest go first. Unlimited when none.
    pub max_bytes: Option<i64>,
    /// How many messages a subject holds, the newest stay; unlimited when none. Slots hold one.
    pub max_per_subject: Option<i64>,
    /// The wire type its subjects carry.
    pub carries: &'static str,
    /// What it is, for the documents.
    pub about: &'static str,
}

/// A durable, shared pull consumer. Any replica of the service may take any of its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerSpec {
    /// The stream it reads.
    pub stream: &'static str,
    /// Its durable name: the service's.
    pub name: &'static str,
    /// How long the server waits for a sign of life before it takes a worker for dead. For crashes only: a
    /// retry's delay goes with the nak.
    pub ack_wait: Duration,
    /// Far above what can be in flight or parked by a delayed nak; parked messages keep their place.
    pub max_ack_pending: i64,
    /// Whether the server sends the headers without the payload.
    pub headers_only: bool,
}

/// A key-value bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketSpec {
    /// Its name.
    pub name: &'static str,
    /// How many revisions of a key it keeps.
    pub history: i64,
    /// How long a value stays after it was written; for ever when none.
    pub ttl: Option<Duration>,
    /// Whether it is gone when its servers have ended.
    pub in_memory: bool,
    /// What it is, for the documents.
    pub about: &'static str,
}

/// An object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectStoreSpec {
    /// Its name.
    pub name: &'static str,
    /// How long a file stays.
    pub ttl: Duration,
}

/// What arrived in each conversation.
pub const INBOX: StreamSpec = StreamSpec {
    name: "INBOX",
    subjects: &["inbox.*"],
    retention: Retention::Limits,
    max_age: Some(INBOX_AGE),
    max_bytes: None,
    max_per_subject: None,
    carries: "inbox-entry.v1",
    about: "A conversation's durable mailbox, in order.",
};

/// Webhook calls to make.
pub const TURNS: StreamSpec = StreamSpec {
    name: "TURNS",
    subjects: &["turns.*"],
    retention: Retention::Slots,
    max_age: None,
    max_bytes: None,
    max_per_subject: Some(1),
    carries: "turn.v1",
    about: "Webhook calls to make: one slot per conversation.",
};

/// Files to bring in.
pub const FETCHES: StreamSpec = StreamSpec {
    name: "FETCHES",
    subjects: &["fetches.in.*", "fetches.out.*"],
    retention: Retention::Slots,
    max_age: None,
    max_bytes: None,
    max_per_subject: Some(1),
    carries: "fetch.v1",
    about: "Files to bring into the object store, of users (in) and of replies (out).",
};

/// Replies to send.
pub const DELIVERIES: StreamSpec = StreamSpec {
    name: "DELIVERIES",
    subjects: &["deliveries.*"],
    retention: Retention::Slots,
    max_age: None,
    max_bytes: None,
    max_per_subject: Some(1),
    carries: "delivery.v1",
    about: "Replies to send: one slot per conversation.",
};

/// Finished turns.
pub const TRANSCRIPTS: StreamSpec = StreamSpec {
    name: "TRANSCRIPTS",
    subjects: &["transcripts.*"],
    retention: Retention::Limits,
    max_age: Some(Duration::from_secs(90 * DAY.as_secs())),
    max_bytes: None,
    max_per_subject: None,
    carries: "transcript.v1",
    about: "One entry per finished turn, for trace, export and analytics; the receipt of its delivery.",
};

/// What was given up.
pub const DEAD_LETTERS: StreamSpec = StreamSpec {
    name: "DEAD_LETTERS",
    subjects: &["dead-letters.*.*.*"],
    retention: Retention::Limits,
    max_age: Some(Duration::from_secs(30 * DAY.as_secs())),
    max_bytes: Some(1 << 30),
    max_per_subject: Some(1),
    carries: "dead-letter.v1",
    about: "Work that was given up, with cause, attempts and payload.",
};

/// All streams that are not behind a bucket.
pub const STREAMS: [StreamSpec; 6] = [INBOX, TURNS, FETCHES, DELIVERIES, TRANSCRIPTS, DEAD_LETTERS];

/// What has been said.
pub const CONTEXTS: BucketSpec = BucketSpec {
    name: "contexts",
    history: 1,
    // Longer than INBOX keeps an entry, or an answered message could look unanswered.
    ttl: Some(Duration::from_secs(60 * DAY.as_secs())),
    in_memory: false,
    about: "One record per conversation, written by compare-and-set only.",
};

/// Configuration.
pub const REGISTRY: BucketSpec = BucketSpec {
    name: "registry",
    history: 10,
    ttl: None,
    in_memory: false,
    about: "bots.*, integrations.*, connections.*: watched by every service.",
};

/// How far work got.
pub const PROGRESS: BucketSpec = BucketSpec {
    name: "progress",
    history: 1,
    ttl: Some(Duration::from_secs(7 * DAY.as_secs())),
    in_memory: false,
    about: "Failed attempts of turns, sent parts of deliveries, fetched files of replies, login links that were used.",
};

/// Limits of the whole cluster. A rate that is not there counts as used up, and a breaker as closed, so what is lost
/// with the bucket is a burst, and some calls of a webhook that fails.
pub const LIMITS: BucketSpec = BucketSpec {
    name: "limits",
    history: 1,
    ttl: Some(DAY),
    in_memory: true,
    about: "Rates of integrations and connections, taken in leases, and open circuit breakers; by compare-and-set.",
};

/// Who reads which Gateway. On disk: a session that is forgotten with its broker would have to be begun anew, and what
/// was said meanwhile would be lost.
pub const GATEWAYS: BucketSpec = BucketSpec {
    name: "gateways",
    history: 1,
    // A holder writes every few seconds, and no platform keeps a session for so long without one.
    ttl: Some(DAY),
    in_memory: false,
    about: "Which replica reads a connection's Gateway, and how far it has read; by compare-and-set.",
};

/// All buckets.
pub const BUCKETS: [BucketSpec; 5] = [CONTEXTS, REGISTRY, PROGRESS, LIMITS, GATEWAYS];

/// Files, both directions.
pub const ATTACHMENTS: ObjectStoreSpec = ObjectStoreSpec {
    name: "attachments",
    // A day longer than a context, which refers to them: so old may be what is not stored again.
    ttl: Duration::from_secs(61 * DAY.as_secs()),
};

/// Stream behind a bucket.
pub fn bucket_stream(bucket: &BucketSpec) -> String {
    format!("KV_{}", bucket.name)
}

/// The decider's view of what arrives.
pub const INBOX_EVENTS: ConsumerSpec = ConsumerSpec {
    stream: "INBOX",
    name: "context-builder",
    ack_wait: Duration::from_secs(10),
    // Every message that waits behind another one of its conversation is parked here.
    max_ack_pending: 1_000_000,
    headers_only: false,
};

/// The decider's view of finished turns: each new revision of a context may make the next message due.
pub const CONTEXT_EVENTS: ConsumerSpec = ConsumerSpec {
    stream: "KV_contexts",
    name: "context-builder",
    ack_wait: Duration::from_secs(10),
    max_ack_pending: 100_000,
    // What the event needs to know stands in the headers; records grow to many times their size.
    headers_only: true,
};

/// The caller's work.
pub const TURN_WORK: ConsumerSpec = ConsumerSpec {
    stream: "TURNS",
    name: "webhook-caller",
    ack_wait: Duration::from_secs(30),
    // Every turn that waits for its next attempt or for a limit is parked here.
    max_ack_pending: 1_000_000,
    headers_only: false,
};

/// The fetcher's work.
pub const FETCH_WORK: ConsumerSpec = ConsumerSpec {
    stream: "FETCHES",
    name: "attachment-fetcher",
    ack_wait: Duration::from_secs(30),
    max_ack_pending: 20_000,
    headers_only: false,
};

/// The sender's work.
pub const DELIVERY_WORK: ConsumerSpec = ConsumerSpec {
    stream: "DELIVERIES",
    name: "egress",
    ack_wait: Duration::from_secs(30),
    max_ack_pending: 100_000,
    headers_only: false,
};

/// All consumers.
pub const CONSUMERS: [ConsumerSpec; 5] = [INBOX_EVENTS, CONTEXT_EVENTS, TURN_WORK, FETCH_WORK, DELIVERY_WORK];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_outlive_inbox_entries() {
        assert!(CONTEXTS.ttl.unwrap() > INBOX_AGE);
    }

    #[test]
    fn every_consumer_reads_a_stream_that_exists() {
        let names: Vec<String> = STREAMS
            .iter()
            .map(|s| s.name.to_owned())
            .chain(BUCKETS.iter().map(bucket_stream))
            .collect();
        for consumer in CONSUMERS {
            assert!(
                names.contains(&consumer.stream.to_owned()),
                "{} reads nothing",
                consumer.name
            );
        }
    }
}
