//! What the pipeline keeps of one message, made of the samples of the wire types.

use bus::{Outgoing, TraceContext};
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::delivery::Delivery;
use proto_schemas::ids::MessageId;
use proto_schemas::inbox::InboxEntry;
use proto_schemas::transcript::Transcript;
use proto_schemas::turn::Turn;
use proto_schemas::wire::Wire;
use serde_json::{Value, json};

use crate::broker::Broker;

/// The message of all samples.
pub(crate) const MESSAGE: &str = "msg_3kq7zt_t901";
/// Its conversation.
pub(crate) const CONVERSATION: &str = "conv_3kq7zt";

const RECEIVED: &str = include_str!("../../../../../proto-schemas/examples/inbox-entry.v1/minimal.json");
const ATTACHED: &str = include_str!("../../../../../proto-schemas/examples/inbox-entry.v1/attached.json");
const TURN: &str = include_str!("../../../../../proto-schemas/examples/turn.v1/minimal.json");
const DELIVERY: &str = include_str!("../../../../../proto-schemas/examples/delivery.v1/minimal.json");
const TRANSCRIPT: &str = include_str!("../../../../../proto-schemas/examples/transcript.v1/minimal.json");

pub(crate) fn message() -> MessageId {
    MessageId::new(MESSAGE).unwrap()
}

/// The sample of a type with these fields in place of its own.
fn sample<T: Wire>(text: &str, fields: Value) -> T {
    let mut sample: Value = serde_json::from_str(text).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        sample[name] = value.clone();
    }
    serde_json::from_value(sample).unwrap()
}

pub(crate) fn received(fields: Value) -> InboxEntry {
    sample(RECEIVED, fields)
}

pub(crate) fn attached() -> InboxEntry {
    sample(ATTACHED, json!({}))
}

pub(crate) fn turn(fields: Value) -> Turn {
    sample(TURN, fields)
}

pub(crate) fn delivery(fields: Value) -> Delivery {
    sample(DELIVERY, fields)
}

pub(crate) fn transcript(fields: Value) -> Transcript {
    sample(TRANSCRIPT, fields)
}

/// A dead letter of webhook-caller about the message.
pub(crate) fn letter(id: &str) -> DeadLetter {
    let letter = json!({"id": id, "stage": "webhook-caller", "class": "timeout", "cause": "too slow",
        "subject": format!("turns.{CONVERSATION}"), "payload": {"text": format!("{{\"answers\":[\"{MESSAGE}\"]}}")},
        "buried_at": 1_767_225_603_000_u64});
    serde_json::from_value(letter).unwrap()
}

impl Broker {
    /// Publishes, under an identity that no other message has.
    pub(crate) async fn publish<T: Wire>(&self, subject: &str, message: &T) {
        let identity = TraceContext::new().to_string();
        let message = Outgoing::new(subject.to_owned(), message, &identity, TraceContext::new());
        self.bus.publish(message.unwrap()).await.unwrap();
    }
}
