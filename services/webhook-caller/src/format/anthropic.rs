//! Anthropic's messages: `POST /v1/messages`, answered in one piece.

use proto_schemas::content::Role;
use proto_schemas::context::TurnResult;
use registry::AnthropicSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::conversation::{Conversation, Message, Part};
use super::{Silence, read, spoken};
use crate::error::CallError;

/// The version of the API that this module speaks.
pub(super) const VERSION: &str = "2023-06-01";
/// Stands before a conversation of which only the bot's side is left, as the API wants the user to begin.
const BEFORE: &str = "[earlier messages are left out]";

/// The request. What is not set is left to the API.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
    messages: Vec<Sent>,
}

#[derive(Serialize)]
struct Sent {
    role: &'static str,
    content: Vec<Block>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block {
    Text { text: String },
    Image { source: Source },
    Document { source: Source, title: String },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Source {
    Url { url: String },
}

/// The question of a conversation.
pub(super) fn request(conversation: Conversation, settings: &AnthropicSettings) -> Request<'_> {
    Request {
        model: &settings.model,
        max_tokens: settings.max_tokens,
        system: conversation.system,
        temperature: settings.temperature.as_ref(),
        messages: alternating(conversation.messages),
    }
}

/// Messages as the API wants them: the user begins, and what one said several times in a row is one message.
fn alternating(said: Vec<Message>) -> Vec<Sent> {
    let mut messages: Vec<Sent> = Vec::with_capacity(said.len());
    for Message { role, parts } in said {
        if messages.is_empty() && role == Role::Assistant {
            let text = BEFORE.to_owned();
            messages.push(Sent {
                role: Role::User.as_str(),
                content: vec![Block::Text { text }],
            });
        }
        let role = role.as_str();
        let blocks = parts.into_iter().map(block);
        match messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(blocks),
            Some(_) | None => messages.push(Sent {
                role,
                content: blocks.collect(),
            }),
        }
    }
    messages
}

fn block(part: Part) -> Block {
    match part {
        Part::Text(text) => Block::Text { text },
        Part::Image { url } => Block::Image {
            source: Source::Url { url },
        },
        Part::Pdf { url, name } => Block::Document {
            source: Source::Url { url },
            title: name,
        },
    }
}

#[derive(Deserialize)]
struct Answer {
    content: Vec<AnswerBlock>,
    id: Option<Value>,
    model: Option<Value>,
    stop_reason: Option<Value>,
    usage: Option<Value>,
}

/// What the model gave. Its thoughts and whatever else there is are not for the chat.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum AnswerBlock {
    Text {
        text: String,
    },
    ToolUse,
    #[serde(other)]
    Other,
}

/// Reads a message: its text blocks, which belong together as they are.
///
/// # Errors
/// [`CallError`] when it is no message, asks for a tool only, or was cut off before the first word.
pub(super) fn reply(body: &[u8]) -> Result<TurnResult, CallError> {
    let answer: Answer = read(body)?;
    let (mut text, mut wants_tool) = (String::new(), false);
    for block in answer.content {
        match block {
            AnswerBlock::Text { text: more } => text.push_str(&more),
            AnswerBlock::ToolUse => wants_tool = true,
            AnswerBlock::Other => {}
        }
    }
    if text.trim().is_empty() {
        if wants_tool {
            return Err(Silence::ToolCall.into());
        }
        if answer.stop_reason.as_ref().and_then(Value::as_str) == Some("max_tokens") {
            return Err(Silence::OutOfTokens.into());
        }
    }
    Ok(spoken(
        text,
        [
            ("id", answer.id),
            ("model", answer.model),
            ("stop_reason", answer.stop_reason),
            ("usage", answer.usage),
        ],
    ))
}

#[cfg(test)]
mod tests;
