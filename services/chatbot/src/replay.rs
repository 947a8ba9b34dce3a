//! Sending given-up work through the pipeline again.
//!
//! A turn that failed has its outcome, so its messages are asked again through the inbox, in the order of the
//! conversation. Everything else goes back to the subject it came from, under a new identity.

use bus::{Bus, BusError, Outgoing, TraceContext};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use domain::replay::replay_turn;
use proto_schemas::dead_letter::{DeadLetter, Payload, Stage};
use proto_schemas::delivery::Delivery;
use proto_schemas::inbox::InboxEntry;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXTS, bucket_stream};
use proto_schemas::turn::Turn;
use proto_schemas::wire::{MESSAGE_TYPE, TRACEPARENT, decode};
use runtime::clock;

use crate::Failure;

/// The largest payload that is brought back from the object store.
const MAX_PAYLOAD_BYTES: usize = 8 * 1024 * 1024;
/// A replayed message's own failures make a dead letter of their own, so one replay of each is enough.
const FIRST_REPLAY: u32 = 1;

/// Replays one dead letter; says what was done. It may be removed then.
pub(crate) async fn replay(bus: &Bus, letter: &DeadLetter) -> Result<String, Failure> {
    if letter.stream.is_none() {
        return Err(Failure::new(
            "it came from outside; the platform has to send it again",
        ));
    }
    if letter.stream.as_deref() == Some(bucket_stream(&CONTEXTS).as_str()) {
        return Err(Failure::new(
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
        return ask_again(bus, &turn, trace).await;
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
    Ok(format!("published to {}", letter.subject))
}

async fn ask_again(bus: &Bus, turn: &Turn, trace: TraceContext) -> Result<String, Failure> {
    let entries = replay_turn(turn, FIRST_REPLAY, clock::now());
    if entries.is_empty() {
        return Err(Failure::new("it asks nothing"));
    }
    let mut ids = Vec::new();
    for entry in &entries {
        let id = InboxEntry::message_id(entry);
        let message = Outgoing::new(subjects::inbox(&turn.conversation), entry, id.as_str(), trace);
        publish(bus, message.map_err(Failure::new)?).await?;
        ids.push(id.to_string());
    }
    Ok(format!("asked again as {}", ids.join(", ")))
}

async fn send_again(bus: &Bus, mut delivery: Delivery, trace: TraceContext) -> Result<String, Failure> {
    delivery.replay += 1;
    let turn = &delivery.conclusion.turn;
    let identity = format!("delivery:{turn}:{}", delivery.replay);
    let subject = subjects::delivery(&delivery.conversation);
    publish(
        bus,
        Outgoing::new(subject, &delivery, &identity, trace).map_err(Failure::new)?,
    )
    .await?;
    Ok(format!("{turn} is sent again"))
}

async fn publish(bus: &Bus, message: Outgoing) -> Result<(), Failure> {
    match bus.publish(message).await {
        Ok(_) => Ok(()),
        Err(BusError::SlotTaken) => Err(Failure::new("its place is taken just now; try again")),
        Err(error) => Err(Failure::new(error)),
    }
}

async fn payload(bus: &Bus, letter: &DeadLetter) -> Result<Bytes, Failure> {
    match &letter.payload {
        Payload::Text(text) => Ok(Bytes::from(text.clone())),
        Payload::Hex(hex) => HEXLOWER
            .decode(hex.as_bytes())
            .map(Bytes::from)
            .map_err(Failure::new),
        Payload::Object(key) => bus.file(key, MAX_PAYLOAD_BYTES).await.map_err(Failure::new),
    }
}
