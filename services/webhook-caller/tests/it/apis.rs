//! OpenAI and Anthropic as far as a caller meets them: a request that the published API would refuse is refused
//! in its words, any other is answered in its form.

use proto_schemas::content::Role;
use serde_json::{Value, json};
use testkit::backend::{Recorded, Scripted};

/// Answers as chat completions do: how many messages it was sent, and the last text.
pub(crate) fn openai(call: &Recorded, key: &str) -> Scripted {
    if call.header("authorization") != Some(&format!("Bearer {key}")) {
        return openai_error(401, "invalid_request_error", "Incorrect API key provided");
    }
    match openai_question(&call.body) {
        Ok((count, last)) => Scripted::Reply(json!({
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_741_569_952,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": format!("{count}: {last}"), "refusal": null},
                "logprobs": null,
                "finish_reason": "stop"
            }],
            "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}
        })),
        Err(fault) => openai_error(400, "invalid_request_error", &fault),
    }
}

/// An error of OpenAI's.
pub(crate) fn openai_error(status: u16, code: &str, message: &str) -> Scripted {
    let error = json!({"error": {"message": message, "type": code, "param": null, "code": code}});
    json_status(status, &error)
}

/// Answers as messages do: how many messages it was sent, and the last text.
pub(crate) fn anthropic(call: &Recorded, key: &str) -> Scripted {
    if call.header("x-api-key") != Some(key) {
        return anthropic_error(401, "authentication_error", "invalid x-api-key");
    }
    if call.header("anthropic-version") != Some("2023-06-01") {
        return anthropic_error(
            400,
            "invalid_request_error",
            "anthropic-version: header is required",
        );
    }
    match anthropic_question(&call.body) {
        Ok((count, last)) => Scripted::Reply(json!({
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5",
            "content": [{"type": "text", "text": format!("{count}: {last}")}],
            "stop_reason": "end_turn",
            "stop_sequence": null,
            "usage": {"input_tokens": 2095, "output_tokens": 503}
        })),
        Err(fault) => anthropic_error(400, "invalid_request_error", &fault),
    }
}

/// An error of Anthropic's.
pub(crate) fn anthropic_error(status: u16, kind: &str, message: &str) -> Scripted {
    let error = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
    json_status(status, &error)
}

fn json_status(status: u16, body: &Value) -> Scripted {
    Scripted::Status {
        status,
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into(),
    }
}

fn openai_question(body: &[u8]) -> Result<(usize, String), String> {
    let body = object(
        body,
        &["model", "messages", "max_completion_tokens", "temperature"],
    )?;
    let mut last = String::new();
    for message in messages(&body)? {
        let role = message["role"].as_str().unwrap_or_default();
        if !["system", "user", "assistant"].contains(&role) {
            return Err(format!("messages.role: {role:?}"));
        }
        let content = &message["content"];
        last = match (content.as_str(), content.as_array()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(parts)) if role == "user" => parts_text(parts, openai_part)?,
            (None, _) => return Err(format!("messages.content of {role}: {content}")),
        };
    }
    Ok((messages(&body)?.len(), last))
}

fn openai_part(part: &Value) -> Result<&str, String> {
    match part["type"].as_str() {
        Some("text") => part["text"].as_str(),
        Some("image_url") => part["image_url"]["url"].as_str().map(|_| ""),
        _ => None,
    }
    .ok_or_else(|| format!("messages.content: {part}"))
}

fn anthropic_question(body: &[u8]) -> Result<(usize, String), String> {
    let body = object(
        body,
        &["model", "max_tokens", "system", "temperature", "messages"],
    )?;
    if body["max_tokens"].as_u64().unwrap_or(0) == 0 {
        return Err("max_tokens: Field required".to_owned());
    }
    let (mut last, mut awaited) = (String::new(), Role::User);
    for message in messages(&body)? {
        let role = match message["role"].as_str() {
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            _ => return Err("messages.role".to_owned()),
        };
        if role != awaited {
            return Err("messages: roles must alternate, and the first is the user's".to_owned());
        }
        awaited = match role {
            Role::User => Role::Assistant,
            Role::Assistant => Role::User,
        };
        let blocks = message["content"].as_array().ok_or("messages.content")?;
        last = parts_text(blocks, anthropic_block)?;
    }
    Ok((messages(&body)?.len(), last))
}

fn anthropic_block(block: &Value) -> Result<&str, String> {
    let linked = block["source"]["type"] == "url" && block["source"]["url"].is_string();
    match block["type"].as_str() {
        Some("text") => block["text"].as_str().filter(|text| !text.trim().is_empty()),
        Some("image" | "document") if linked => Some(""),
        _ => None,
    }
    .ok_or_else(|| format!("messages.content: {block}"))
}

/// The last text among the parts. Both APIs refuse an empty list.
fn parts_text(parts: &[Value], read: fn(&Value) -> Result<&str, String>) -> Result<String, String> {
    let texts: Vec<&str> = parts.iter().map(read).collect::<Result<_, _>>()?;
    texts
        .last()
        .map(|text| (*text).to_owned())
        .ok_or_else(|| "messages.content is empty".to_owned())
}

/// Both APIs refuse keys that they do not know, and want a model.
fn object(body: &[u8], known: &[&str]) -> Result<Value, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let keys = body.as_object().ok_or("not an object")?.keys();
    if let Some(key) = keys.into_iter().find(|key| !known.contains(&key.as_str())) {
        return Err(format!("{key}: unknown key"));
    }
    match body["model"].as_str() {
        Some(model) if !model.is_empty() => Ok(body),
        Some(_) | None => Err("model: Field required".to_owned()),
    }
}

fn messages(body: &Value) -> Result<&Vec<Value>, String> {
    let messages = body["messages"].as_array();
    messages
        .filter(|messages| !messages.is_empty())
        .ok_or_else(|| "messages: at least one message is required".to_owned())
}
