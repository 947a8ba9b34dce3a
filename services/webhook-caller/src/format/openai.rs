//! OpenAI's chat completions: `POST /v1/chat/completions`, answered in one piece.

use proto_schemas::context::TurnResult;
use registry::OpenaiSettings;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::conversation::{Conversation, Message, Part, pdf_in_words};
use super::refusal::ErrorBody;
use super::{Silence, read, spoken};
use crate::error::CallError;

/// The request. What is not set is left to the API.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    model: &'a str,
    messages: Vec<Sent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a Number>,
}

#[derive(Serialize)]
struct Sent {
    role: &'static str,
    content: Content,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ContentPart {
    Text { text: String },
    ImageUrl { image_url: ImageUrl },
}

#[derive(Serialize)]
struct ImageUrl {
    url: String,
}

/// The question of a conversation.
pub(super) fn request(conversation: Conversation, settings: &OpenaiSettings) -> Request<'_> {
    let system = conversation.system.map(|prompt| Sent {
        role: "system",
        content: Content::Text(prompt),
    });
    let said = conversation.messages.into_iter().map(sent);
    Request {
        model: &settings.model,
        messages: system.into_iter().chain(said).collect(),
        max_completion_tokens: settings.max_tokens,
        temperature: settings.temperature.as_ref(),
    }
}

fn sent(message: Message) -> Sent {
    let mut parts: Vec<ContentPart> = message.parts.into_iter().map(content_part).collect();
    let content = match parts.as_mut_slice() {
        [ContentPart::Text { text }] => Content::Text(std::mem::take(text)),
        _ => Content::Parts(parts),
    };
    Sent {
        role: message.role.as_str(),
        content,
    }
}

fn content_part(part: Part) -> ContentPart {
    match part {
        Part::Text(text) => ContentPart::Text { text },
        Part::Image { url } => ContentPart::ImageUrl {
            image_url: ImageUrl { url },
        },
        // The API takes a file by its bytes or an upload of its own, not by a link.
        Part::Pdf { url, name } => ContentPart::Text {
            text: pdf_in_words(&name, &url),
        },
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    id: Option<Value>,
    model: Option<Value>,
    usage: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    message: Answer,
    finish_reason: Option<Value>,
}

#[derive(Deserialize)]
struct Answer {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Value>>,
}

/// Reads a completion: the content, or the model's refusal in its place.
///
/// # Errors
/// [`CallError`] when it is no completion, asks for a tool only, or was cut off before the first word.
pub(super) fn reply(body: &[u8]) -> Result<TurnResult, CallError> {
    let completion: Completion = read(body)?;
    let Some(choice) = completion.choices.into_iter().next() else {
        return Err(CallError::terminal("no_content", "the reply has no choice"));
    };
    let answer = choice.message;
    let said = [answer.content, answer.refusal];
    let said = said.into_iter().flatten().find(|text| !text.trim().is_empty());
    if said.is_none() {
        if answer.tool_calls.is_some_and(|calls| !calls.is_empty()) {
            return Err(Silence::ToolCall.into());
        }
        if choice.finish_reason.as_ref().and_then(Value::as_str) == Some("length") {
            return Err(Silence::OutOfTokens.into());
        }
    }
    Ok(spoken(
        said.unwrap_or_default(),
        [
            ("id", completion.id),
            ("model", completion.model),
            ("finish_reason", choice.finish_reason),
            ("usage", completion.usage),
        ],
    ))
}

/// Whether a 429 says that the account is empty: that passes only when somebody pays.
pub(super) fn is_out_of_quota(status: u16, body: &[u8]) -> bool {
    const OUT: &str = "insufficient_quota";
    let is_out = |ErrorBody { error }: ErrorBody| {
        error.kind.as_deref() == Some(OUT) || error.code.as_ref().and_then(Value::as_str) == Some(OUT)
    };
    status == 429 && serde_json::from_slice(body).is_ok_and(is_out)
}

#[cfg(test)]
mod tests;
