//! What Discord pushes: interactions, and events of the application.

use proto_schemas::content::Interaction;
use proto_schemas::ids::UnixMillis;
use serde_json::{Value, json};

use super::interaction::{Data, Event, Push};
use super::words::{self, Said};
use super::{Account, WAY_BACK_IS_OPEN, signature};
use crate::inbound::{Addressed, Inbound, InboundMessage, Refusal, Request, ignored, json_problem, lacks};

// Kinds of pushes (`channels.md`, section 4.2.1).
const EVENT_PING: u64 = 0;
const PING: u64 = 1;
const COMMAND: u64 = 2;
const COMPONENT: u64 = 3;
const AUTOCOMPLETE: u64 = 4;
const FORM: u64 = 5;

// Kinds of answers (`channels.md`, section 4.1.5).
const PONG: u64 = 1;
/// Discord shows that the bot is thinking, in a message that the reply takes the place of.
const THINKING: u64 = 5;
/// Discord leaves the message with the button as it is.
const UNCHANGED: u64 = 6;
const SUGGESTIONS: u64 = 8;

/// How an interaction is read into words.
type Read = fn(Data) -> Result<Said, Refusal>;

impl Account {
    pub(crate) fn receive(&self, request: &Request<'_>) -> Result<Inbound, Refusal> {
        signature::verify(&self.public_key, request)?;
        let push: Push = serde_json::from_slice(request.body)
            .map_err(|error| Refusal::NotUnderstood(json_problem(&error)))?;
        if let Some(event) = &push.event {
            return Ok(told(event));
        }
        match push.kind {
            EVENT_PING => Ok(ignored("event_ping")),
            PING => Ok(handshake(json!({ "type": PONG }))),
            AUTOCOMPLETE => Ok(handshake(
                json!({ "type": SUGGESTIONS, "data": { "choices": [] } }),
            )),
            COMMAND => message(push, words::command, request.now_secs),
            COMPONENT => message(push, words::pressed, request.now_secs),
            FORM => message(push, words::filled_in, request.now_secs),
            _ => Ok(ignored("other_interaction")),
        }
    }
}

fn handshake(answer: Value) -> Inbound {
    Inbound::Handshake { answer }
}

fn told(event: &Event) -> Inbound {
    match event.kind.as_str() {
        "APPLICATION_DEAUTHORIZED" => Inbound::Trouble {
            kind: "application_deauthorized",
        },
        _ => ignored("other_event"),
    }
}

/// A reply to a press is a new message that leaves the one with the button alone: only such a message has an origin
/// that it answers. Everything else is answered in the place of what says that the bot is thinking.
fn message(mut push: Push, read: Read, now_secs: u64) -> Result<Inbound, Refusal> {
    let id = push.id.take().ok_or_else(|| lacks("id"))?;
    let token = push.token.take().ok_or_else(|| lacks("token"))?;
    let chat_id = push.chat_id().ok_or_else(|| lacks("channel_id"))?;
    let (user, is_bot) = push.author().ok_or_else(|| lacks("user"))?;
    if is_bot {
        return Ok(ignored("from_a_bot"));
    }
    let (message_id, answer) = if push.kind == COMPONENT {
        let origin = push.message.take().ok_or_else(|| lacks("message"))?;
        (Some(origin.id), UNCHANGED)
    } else {
        (None, THINKING)
    };
    let said = read(push.data.take().ok_or_else(|| lacks("data"))?)?;
    let inbound = InboundMessage {
        dedup_key: id,
        chat_id,
        thread_id: None,
        thread_is_conversation: false,
        message_id,
        user,
        text: said.text(),
        files: said.files,
        is_group: !push.is_direct(),
        addressed: Addressed::Surely,
        album: None,
        is_edit: false,
        interaction: Some(Interaction {
            token,
            expires_at: UnixMillis((now_secs + WAY_BACK_IS_OPEN.as_secs()) * 1000),
        }),
        answer: Some(json!({ "type": answer })),
    };
    inbound.said()
}
