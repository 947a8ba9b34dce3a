//! Sending given-up work through the pipeline again.
//!
//! A turn that failed has its outcome, so its messages are asked again through the inbox, in the order of the
//! conversation. Everything else goes back to the subject it came from, under a new identity.

use std::fmt;

use bus::{Bus, BusError, ObjectError, Outgoing, TraceContext};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use domain::replay::replay_turn;
use proto_schemas::dead_letter::{DeadLetter, Payload, Stage};
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::{MessageId, TurnId, UnixMillis};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, bucket_stream};
use proto_schemas::turn::Turn;
use proto_schemas::wire::{MESSAGE_TYPE, TRACEPARENT, decode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest payload that is brought back from the object store.
const MAX_PAYLOAD_BYTES: usize = 8 * 1024 * 1024;
/// A replayed message's own failures make a dead letter of their own, so one replay of each is enough.
const FIRST_REPLAY: u32 = 1;

/// What became of given-up work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Replayed {
    /// Its messages are asked again.
    AskedAgain {
        /// Under these identifiers.
        messages: Vec<MessageId>,
    },
    /// Its reply is sent again.
    SentAgain {
        /// The turn that it answers.
        turn: TurnId,
    },
    /// It was published as it was.
    Published {
        /// To this subject.
        subject: String,
    },
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AskedAgain { messages } => {
                let messages: Vec<&str> = messages.iter().map(MessageId::as_str).collect();
                write!(f, "asked again as {}", messages.join(", "))
            }
            Self::SentAgain { turn } => write!(f, "{turn} is sent again"),
            Self::Published { subject } => write!(f, "published to {subject}"),
        }
    }
}

/// Why work was not replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be, ever.
    #[error("{0}")]
    Impossible(&'static str),
    /// The subject that it goes to holds other work of the conversation.
    #[error("its place is taken just now; try again")]
    PlaceTaken,
    /// Its payload cannot be read.
    #[error("its payload cannot be had: {0}")]
    Payload(String),
    /// The broker.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl ReplayError {
    /// What programs know it by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Impossible(_) => "not_replayable",
            Self::PlaceTaken => "place_taken",
            Self::Payload(_) => "payload_lost",
            Self::Bus(BusError::Unavailable(_)) => "broker_unavailable",
            Self::Bus(
                BusError::SlotTaken
                | BusError::Conflict
                | BusError::TooLarge
                | BusError::Refused { .. }
                | BusError::Unencodable(_)
                | BusError::Undecodable(_),
            ) => "broker_refused",
        }
    }
}

/// Replays one dead letter. It may be removed then.
pub(crate) async fn replay(bus: &Bus, letter: &DeadLetter, now: UnixMillis) -> Result<Replayed, ReplayError> {
    if letter.stream.is_none() {
        return Err(ReplayError::Impossible(
            "it came from outside; the platform has to send it again",
        ));
    }
    if letter.stream.as_deref() == Some(bucket_stream(&CONTEXTS).as_str()) {
        return Err(ReplayError::Impossible(
            "it is an old state of a conversation; the present one counts, and the next message is decided by it",
        ));
    }
    let payload = payload(bus, letter).await?;
    let message_type = letter.headers.get(MESSAGE_TYPE).map(String::as_str);
    let trace = letter
        .headers
        .get(TRACEPARENT)
        .and_then(|header| TraceContext::parse(header));
    let trace = trace.unwrap_or_default().child();
    if letter.stage == Stage::WebhookCaller
        && let Ok(turn) = decode::<Turn>(message_type, &payload)
    {
        return ask_again(bus, &turn, trace, now).await;
    }
    if letter.stage == Stage::Egress
        && let Ok(delivery) = decode::<Delivery>(message_type, &payload)
    {
        return send_again(bus, delivery, trace).await;
    }
    let headers = letter.headers.clone().into_iter().collect();
    let identity = format!("{}:{FIRST_REPLAY}", letter.id);
    publish(
        bus,
        Outgoing::raw(letter.subject.clone(), payload, &identity, headers),
    )
    .await?;
    Ok(Replayed::Published {
        subject: letter.subject.clone(),
    })
}

async fn ask_again(
    bus: &Bus,
    turn: &Turn,
    trace: TraceContext,
    now: UnixMillis,
) -> Result<Replayed, ReplayError> {
    let entries = replay_turn(turn, FIRST_REPLAY, now);
    if entries.is_empty() {
        return Err(ReplayError::Impossible("it asks nothing"));
    }
    let mut messages = Vec::new();
    for entry in &entries {
        let id = InboxEntry::message_id(entry);
        let message = Outgoing::new(subjects::inbox(&turn.conversation), entry, id.as_str(), trace);
        publish(bus, message?).await?;
        messages.push(id.clone());
    }
    Ok(Replayed::AskedAgain { messages })
}

async fn send_again(bus: &Bus, mut delivery: Delivery, trace: TraceContext) -> Result<Replayed, ReplayError> {
    delivery.replay += 1;
    let turn = delivery.conclusion.turn.clone();
    let identity = format!("delivery:{turn}:{}", delivery.replay);
    let subject = subjects::delivery(&delivery.conversation);
    publish(bus, Outgoing::new(subject, &delivery, &identity, trace)?).await?;
    Ok(Replayed::SentAgain { turn })
}

async fn publish(bus: &Bus, message: Outgoing) -> Result<(), ReplayError> {
    match bus.publish(message).await {
        Ok(_) => Ok(()),
        Err(BusError::SlotTaken) => Err(ReplayError::PlaceTaken),
        Err(error) => Err(error.into()),
    }
}

async fn payload(bus: &Bus, letter: &DeadLetter) -> Result<Bytes, ReplayError> {
    match &letter.payload {
        Payload::Text(text) => Ok(Bytes::from(text.clone())),
        Payload::Hex(hex) => HEXLOWER
            .decode(hex.as_bytes())
            .map(Bytes::from)
            .map_err(|error| ReplayError::Payload(error.to_string())),
        Payload::Object(key) => bus
            .file(key, MAX_PAYLOAD_BYTES)
            .await
            .map_err(|error| match error {
                ObjectError::Bus(error) => error.into(),
                ObjectError::Missing { .. } | ObjectError::TooLarge { .. } | ObjectError::Incomplete => {
                    ReplayError::Payload(error.to_string())
                }
            }),
    }
}
