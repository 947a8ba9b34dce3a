//! Publishing: one path for streams and buckets, with the server's answer read as the protocol needs it.

use async_nats::client::{Request, RequestErrorKind};
use async_nats::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use proto_schemas::wire::{self, Wire};
use serde::Deserialize;

use crate::connect::REQUEST_TIMEOUT;
use crate::{Bus, TraceContext};

/// "maximum messages per subject exceeded": the slot is taken.
const SLOT_TAKEN: u64 = 10077;
/// "wrong last sequence": somebody else wrote first.
const WRONG_LAST_SEQUENCE: u64 = 10071;
/// "wrong last sequence", as newer servers say it when they name no sequence.
const WRONG_LAST_SEQUENCE_UNKNOWN: u64 = 10164;
/// "duplicate message id is in process": a cluster is still writing a message of this identity.
const BEING_WRITTEN: u64 = 10158;

/// What to publish. `message_id` is how the server recognises a repetition.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub(crate) subject: String,
    pub(crate) payload: Bytes,
    headers: HeaderMap,
    /// The span under which it is published; none for what is published as it was found.
    pub(crate) trace: Option<TraceContext>,
}

impl Outgoing {
    /// A value of type `T`, with its type, its identity and its trace.
    ///
    /// # Errors
    /// [`BusError::Unencodable`] when the value has no JSON form.
    pub fn new<T: Wire>(
        subject: String,
        value: &T,
        message_id: &str,
        trace: TraceContext,
    ) -> Result<Self, BusError> {
        let payload = wire::encode(value).map_err(BusError::Unencodable)?;
        let mut headers = HeaderMap::new();
        headers.insert(wire::MESSAGE_TYPE, T::TYPE);
        headers.insert(wire::TRACEPARENT, trace.to_string().as_str());
        headers.insert(wire::MESSAGE_ID, message_id);
        for (name, text) in value.headers() {
            headers.insert(name, text.as_str());
        }
        Ok(Self {
            subject,
            payload: payload.into(),
            headers,
            trace: Some(trace),
        })
    }

    /// Bytes as they are, for what came from a dead letter.
    pub fn raw(subject: String, payload: Bytes, message_id: &str, headers: Vec<(String, String)>) -> Self {
        let mut map = HeaderMap::new();
        for (name, value) in &headers {
            // A header that a hand-made message brought along and that cannot be sent is left out.
            if let (Ok(name), Ok(value)) = (
                name.parse::<async_nats::HeaderName>(),
                value.parse::<async_nats::HeaderValue>(),
            ) {
                map.insert(name, value);
            }
        }
        map.insert(wire::MESSAGE_ID, message_id);
        Self {
            subject,
            payload,
            headers: map,
            trace: None,
        }
    }

    /// Has it carry the span of its own publish.
    pub(crate) fn carry(&mut self, span: TraceContext) {
        self.headers.insert(wire::TRACEPARENT, span.to_string().as_str());
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::as_str)
    }

    /// To be taken only if the newest message of the subject has this sequence; 0 means that there is none.
    /// Otherwise publishing fails with [`BusError::Conflict`].
    #[must_use]
    pub fn after(mut self, sequence: u64) -> Self {
        self.headers
            .insert(wire::PREDECESSOR, sequence.to_string().as_str());
        self
    }
}

/// What the stream did with a message. Either way it holds it, or held it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It is stored.
    Accepted {
        /// Its sequence in the stream.
        sequence: u64,
    },
    /// Its identity was seen within the duplicate window; nothing was stored.
    Duplicate,
}

/// Why the broker did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The subject is a slot and holds a message.
    #[error("the slot is taken")]
    SlotTaken,
    /// The compare-and-set lost: the subject has another revision than expected.
    #[error("the record has changed")]
    Conflict,
    /// The message is larger than the server takes.
    #[error("the message is larger than the broker takes")]
    TooLarge,
    /// No answer: the broker is away, busy electing, still writing the same message, or the answer was lost. The
    /// message may or may not be stored.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
    /// The server said no, for a reason that only an operator can mend.
    #[error("the broker refused: {description} ({code})")]
    Refused {
        /// JetStream's error code; 0 when there is none.
        code: u64,
        /// Its description.
        description: String,
    },
    /// The value has no JSON form.
    #[error("the value has no JSON form: {0}")]
    Unencodable(serde_json::Error),
    /// What was read is not what the subject carries.
    #[error(transparent)]
    Undecodable(#[from] wire::DecodeError),
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<Failure>,
}

#[derive(Deserialize)]
pub(crate) struct Failure {
    #[serde(default)]
    code: u64,
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

impl From<Failure> for BusError {
    fn from(failure: Failure) -> Self {
        match failure.err_code {
            SLOT_TAKEN => Self::SlotTaken,
            WRONG_LAST_SEQUENCE | WRONG_LAST_SEQUENCE_UNKNOWN => Self::Conflict,
            // Codes of class 5xx pass by themselves: no leader, no quorum, storage catching up.
            code if failure.code >= 500 || code == BEING_WRITTEN => {
                Self::Unavailable(format!("{} ({code})", failure.description))
            }
            code => Self::Refused {
                code,
                description: failure.description,
            },
        }
    }
}

impl Bus {
    /// Publishes, and returns when the stream has confirmed.
    ///
    /// # Errors
    /// [`BusError::SlotTaken`] on a full slot; [`BusError::Unavailable`] when no confirmation came, in which
    /// case the message may still be stored, and publishing it again with its identity is harmless.
    pub async fn publish(&self, mut message: Outgoing) -> Result<Published, BusError> {
        let producing = self.producing(&mut message);
        let published = self.confirm(message).await;
        if let Some(producing) = producing {
            self.produced(*producing, &published);
        }
        published
    }

    async fn confirm(&self, message: Outgoing) -> Result<Published, BusError> {
        self.check_connected()?;
        let request = Request::new()
            .payload(message.payload)
            .headers(message.headers)
            .timeout(Some(REQUEST_TIMEOUT));
        let answer = self
            .client
            .send_request(message.subject, request)
            .await
            .map_err(|error| request_failure(error.kind(), &error))?;
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(BusError::Unavailable("no stream takes the subject".to_owned()));
        }
        let answer: Answer = serde_json::from_slice(&answer.payload)
            .map_err(|error| BusError::Unavailable(format!("unreadable confirmation: {error}")))?;
        match answer.error {
            Some(failure) => Err(failure.into()),
            None if answer.duplicate => Ok(Published::Duplicate),
            None => Ok(Published::Accepted { sequence: answer.seq }),
        }
    }
}

/// Which of our errors a failed request is.
pub(crate) fn request_failure(kind: RequestErrorKind, error: &dyn std::error::Error) -> BusError {
    match kind {
        RequestErrorKind::MaxPayloadExceeded => BusError::TooLarge,
        RequestErrorKind::InvalidSubject => BusError::Refused {
            code: 0,
            description: "the subject is not one".to_owned(),
        },
        RequestErrorKind::NoResponders => BusError::Unavailable("no stream takes the subject".to_owned()),
        RequestErrorKind::TimedOut | RequestErrorKind::Other => BusError::Unavailable(error.to_string()),
    }
}
