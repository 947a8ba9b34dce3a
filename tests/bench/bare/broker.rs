//! The broker as the bare stages use it: each function is one operation on the wire, as the platform makes it.

use std::fmt;
use std::time::Duration;

use async_nats::client::Request;
use async_nats::jetstream;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::{Client, HeaderMap};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use proto_schemas::topology::ConsumerSpec;

use crate::token::Token;

/// Pause before a slot that is not free yet is asked for again: its last message is being acknowledged.
const SLOT_PAUSE: Duration = Duration::from_millis(2);
/// Pulled ahead at most, as the platform does.
const MAX_BATCH: usize = 256;
/// Header of what the stages tell each other; the context's consumer gets headers only.
const NOTE: &str = "Answered-Through";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What a bare message carries besides padding.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Note {
    pub(crate) token: Token,
    /// The revision of the context that its turn was built on.
    pub(crate) revision: u64,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.revision, self.token)
    }
}

impl Note {
    /// A body of at least `bytes`, with the token at its end, where the fakes look for it.
    pub(crate) fn body(self, bytes: usize) -> Bytes {
        let token = self.token.to_string();
        let mut body = vec![b'.'; bytes.saturating_sub(token.len())];
        body.extend_from_slice(token.as_bytes());
        body.into()
    }

    fn parse(note: &str) -> Option<Self> {
        let mut words = note.split(' ');
        Some(Self {
            revision: words.next()?.parse().ok()?,
            token: Token::find_last(words.next()?.as_bytes())?,
        })
    }

    /// As long as the platform's, and as far apart: the server's index of subjects is a tree over their bytes.
    fn subject(self, family: &str) -> String {
        let spread = (self.token.conversation as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!("{family}.conv_{spread:016x}{:010x}", spread >> 24)
    }
}

/// The connection of a stage.
#[derive(Clone)]
pub(crate) struct Broker {
    client: Client,
    jetstream: jetstream::Context,
}

impl Broker {
    pub(crate) async fn connect(url: &str) -> Self {
        let client = async_nats::connect(url).await.expect("the broker is there");
        let jetstream = jetstream::new(client.clone());
        Self { client, jetstream }
    }

    /// Publishes under `family.{conversation}` and waits for the confirmation; waits for a slot to become free.
    /// Returns the sequence.
    pub(crate) async fn publish(&self, family: &str, note: Note, bytes: usize, expected: Option<u64>) -> u64 {
        let subject = note.subject(family);
        let payload = note.body(bytes);
        loop {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", format!("{subject}:{}", note.token));
            headers.insert("Message-Type", "transcript.v1");
            headers.insert("traceparent", TRACE);
            headers.insert(NOTE, note.to_string());
            if let Some(revision) = expected {
                headers.insert("Nats-Expected-Last-Subject-Sequence", revision.to_string());
            }
            let request = Request::new().payload(payload.clone()).headers(headers);
            let answer = self.client.send_request(subject.clone(), request).await;
            let answer = answer.expect("the broker confirms").payload;
            if let Some(sequence) = sequence(&answer) {
                return sequence;
            }
            assert!(
                contains(&answer, b"10077"),
                "refused: {}",
                String::from_utf8_lossy(&answer)
            );
            tokio::time::sleep(SLOT_PAUSE).await;
        }
    }

    /// Reads the newest message of a subject; its sequence, 0 when there is none.
    pub(crate) async fn last(&self, stream: &str, family: &str, note: Note) -> u64 {
        let subject = format!("$JS.API.DIRECT.GET.{stream}.{}", note.subject(family));
        let answer = self.client.request(subject, Bytes::new()).await;
        let headers = answer.expect("the broker answers").headers;
        let sequence = headers.and_then(|headers| headers.get("Nats-Sequence")?.as_str().parse().ok());
        sequence.unwrap_or(0)
    }

    /// Takes the consumer's messages, `concurrency` at once, and acknowledges each when `handle` is through.
    pub(crate) async fn consume<F: Future<Output = ()>>(
        &self,
        spec: &ConsumerSpec,
        concurrency: usize,
        handle: impl Fn(Note) -> F,
    ) {
        let consumer: PullConsumer = self
            .jetstream
            .get_consumer_from_stream(spec.name, spec.stream)
            .await
            .expect("the topology is there");
        let pull = consumer
            .stream()
            .max_messages_per_batch(concurrency.min(MAX_BATCH));
        let mut messages = pull.messages().await.expect("the broker is there");
        let mut in_flight = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
                message = messages.next(), if in_flight.len() < concurrency => {
                    let message = message.expect("the pull has no end").expect("the broker is there");
                    in_flight.push(settle(message, &handle));
                }
            }
        }
    }
}

async fn settle<F: Future<Output = ()>>(message: jetstream::Message, handle: &impl Fn(Note) -> F) {
    let headers = message.headers.as_ref();
    let note = headers.and_then(|headers| Note::parse(headers.get(NOTE)?.as_str()));
    handle(note.expect("every message of the bare chain carries a note")).await;
    message.ack().await.expect("the client lives");
}

/// The sequence that a confirmation names; none in a refusal.
fn sequence(confirmation: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"seq\":";
    if contains(confirmation, b"\"error\"") {
        return None;
    }
    let at = crate::http::find(confirmation, NAME)? + NAME.len();
    let digits = confirmation[at..].iter().take_while(|byte| byte.is_ascii_digit());
    std::str::from_utf8(&digits.copied().collect::<Vec<u8>>())
        .ok()?
        .parse()
        .ok()
}

fn contains(message: &[u8], text: &[u8]) -> bool {
    crate::http::find(message, text).is_some()
}
