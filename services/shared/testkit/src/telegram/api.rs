//! The methods of the Bot API that the platform calls.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::chats::{Chats, SentFile, SentMessage};
use super::entities;
use super::request::{Call, FILE};
use crate::backend::Scripted;

/// The longest text, in UTF-16 code units (`channels.md`, section 2.5.1).
pub const MAX_TEXT: usize = 4096;
/// The longest caption, in UTF-16 code units (`channels.md`, section 2.5.1).
pub const MAX_CAPTION: usize = 1024;
/// The longest value of a button, in bytes (`channels.md`, section 2.5.1).
const MAX_CALLBACK_DATA: usize = 64;
/// The largest photo that may be uploaded (`channels.md`, section 2.5.1).
pub const MAX_PHOTO_BYTES: usize = 10 << 20;
/// The largest document that may be uploaded (`channels.md`, section 2.5.1).
pub const MAX_DOCUMENT_BYTES: usize = 50 << 20;
/// The largest file that may be downloaded (`channels.md`, section 2.4).
pub const MAX_DOWNLOAD_BYTES: usize = 20 << 20;

/// A failure in the API's form.
#[derive(Debug)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) description: String,
    pub(super) parameters: Option<Value>,
}

type Answer = Result<Value, ApiError>;

impl ApiError {
    pub(super) fn new(status: u16, description: impl Into<String>) -> Self {
        Self {
            status,
            description: description.into(),
            parameters: None,
        }
    }

    /// The error as the server sends it; a `retry_after` stands in the header too.
    pub(super) fn answer(self) -> Scripted {
        let mut body = json!({ "ok": false, "error_code": self.status, "description": self.description });
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(parameters) = self.parameters {
            let retry_after = parameters["retry_after"].as_u64();
            headers.extend(retry_after.map(|seconds| ("Retry-After".to_owned(), seconds.to_string())));
            body["parameters"] = parameters;
        }
        Scripted::Status {
            status: self.status,
            headers,
            body: body.to_string().into(),
        }
    }
}

pub(super) fn respond(chats: &mut Chats, call: Call) -> Scripted {
    if call.method == FILE {
        return download(chats, &call.file_path);
    }
    let answer = match call.method.to_ascii_lowercase().as_str() {
        "sendmessage" => send_text(chats, &call),
        "sendphoto" => send_file(chats, call, ("sendPhoto", "photo"), MAX_PHOTO_BYTES),
        "sendaudio" => send_file(chats, call, ("sendAudio", "audio"), MAX_DOCUMENT_BYTES),
        "sendvideo" => send_file(chats, call, ("sendVideo", "video"), MAX_DOCUMENT_BYTES),
        "senddocument" => send_file(chats, call, ("sendDocument", "document"), MAX_DOCUMENT_BYTES),
        "sendchataction" => open_chat(chats, &call).map(|_| Value::Bool(true)),
        "getfile" => get_file(chats, call.text("file_id")),
        "setwebhook" => {
            chats.webhook = Some(Value::Object(call.parameters));
            Ok(Value::Bool(true))
        }
        "getme" => Ok(json!({ "id": bot_id(&call.token), "is_bot": true, "first_name": "Demo" })),
        _ => Err(ApiError::new(404, "Not Found")),
    };
    match answer {
        Ok(result) => Scripted::Reply(json!({ "ok": true, "result": result })),
        Err(error) => error.answer(),
    }
}

fn send_text(chats: &mut Chats, call: &Call) -> Answer {
    let chat_id = open_chat(chats, call)?;
    let text = call.text("text");
    if text.trim().is_empty() {
        return Err(ApiError::new(400, "Bad Request: message text is empty"));
    }
    within(text, MAX_TEXT, "Bad Request: message is too long")?;
    let entities = entities::checked(text, call.object("entities"))?;
    let answer = send(chats, call, chat_id, "sendMessage", text, None)?;
    if let Some(message) = chats.sent.last_mut() {
        message.entities = entities;
    }
    Ok(answer)
}

fn send_file(chats: &mut Chats, mut call: Call, (method, part): (&str, &str), max_bytes: usize) -> Answer {
    let chat_id = open_chat(chats, &call)?;
    let Some(file) = call.uploads.remove(part) else {
        return Err(ApiError::new(
            400,
            format!("Bad Request: there is no {part} in the request"),
        ));
    };
    if file.bytes.is_empty() {
        return Err(ApiError::new(400, "Bad Request: file must be non-empty"));
    }
    if file.bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(ApiError::new(413, "Request Entity Too Large"));
    }
    if file.bytes.len() > max_bytes {
        return Err(ApiError::new(400, "Bad Request: file is too big"));
    }
    let caption = call.text("caption");
    within(caption, MAX_CAPTION, "Bad Request: message caption is too long")?;
    send(chats, &call, chat_id, method, caption, Some(file))
}

/// The chat, if the bot may write to it.
fn open_chat(chats: &Chats, call: &Call) -> Result<i64, ApiError> {
    let chat_id = call
        .number("chat_id")
        .ok_or(ApiError::new(400, "Bad Request: chat not found"))?;
    if chats.blocked.contains(&chat_id) {
        return Err(ApiError::new(403, "Forbidden: bot was blocked by the user"));
    }
    // The general topic is never named (`channels.md`, section 2.3).
    if call.number("message_thread_id") == Some(1) {
        return Err(ApiError::new(400, "Bad Request: message thread not found"));
    }
    if call.parameters.contains_key("parse_mode") {
        return Err(ApiError::new(
            400,
            "Bad Request: unsupported parse_mode (the fake reads plain text)",
        ));
    }
    Ok(chat_id)
}

fn within(text: &str, max: usize, description: &str) -> Result<(), ApiError> {
    if text.encode_utf16().count() <= max {
        Ok(())
    } else {
        Err(ApiError::new(400, description))
    }
}

fn send(
    chats: &mut Chats,
    call: &Call,
    chat_id: i64,
    method: &str,
    text: &str,
    file: Option<SentFile>,
) -> Answer {
    let at = Instant::now();
    if let Some(wait) = chats.wait_of(chat_id, at) {
        return Err(too_many_requests(
            wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
        ));
    }
    let keyboard = keyboard(call.object("reply_markup"))?;
    let message_id = 1000 + i64::try_from(chats.sent.len()).unwrap();
    let reply_to = call
        .object("reply_parameters")
        .and_then(|reply| reply["message_id"].as_i64());
    chats.sent.push(SentMessage {
        chat_id,
        method: method.to_owned(),
        text: text.to_owned(),
        entities: Vec::new(),
        file,
        keyboard,
        thread_id: call.number("message_thread_id"),
        reply_to,
        message_id,
        at,
    });
    let date = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs();
    let kind = if chat_id > 0 { "private" } else { "supergroup" };
    let field = if method == "sendMessage" {
        "text"
    } else {
        "caption"
    };
    Ok(
        json!({ "message_id": message_id, "date": date, "chat": { "id": chat_id, "type": kind }, field: text }),
    )
}

/// The rows of an inline keyboard, if it is one that Telegram takes (`channels.md`, section 2.5.1).
fn keyboard(markup: Option<Value>) -> Result<Option<Value>, ApiError> {
    let Some(markup) = markup else { return Ok(None) };
    let rows = markup["inline_keyboard"].clone();
    for button in rows
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|row| row.as_array())
        .flatten()
    {
        let data = button["callback_data"].as_str();
        if button["text"].as_str().is_none_or(str::is_empty) {
            return Err(ApiError::new(
                400,
                "Bad Request: inline keyboard button text is empty",
            ));
        }
        if data.is_some_and(|data| !(1..=MAX_CALLBACK_DATA).contains(&data.len())) {
            return Err(ApiError::new(400, "Bad Request: BUTTON_DATA_INVALID"));
        }
        if data.is_none() && !button["url"].as_str().is_some_and(|url| url.starts_with("http")) {
            return Err(ApiError::new(400, "Bad Request: BUTTON_URL_INVALID"));
        }
    }
    Ok(Some(rows))
}

fn too_many_requests(seconds: u64) -> ApiError {
    let description = format!("Too Many Requests: retry after {seconds}");
    ApiError {
        status: 429,
        description,
        parameters: Some(json!({ "retry_after": seconds })),
    }
}

fn get_file(chats: &Chats, file_id: &str) -> Answer {
    let bytes = chats
        .files
        .get(file_id)
        .ok_or(ApiError::new(400, "Bad Request: invalid file_id"))?;
    if bytes.len() > MAX_DOWNLOAD_BYTES {
        return Err(ApiError::new(400, "Bad Request: file is too big"));
    }
    Ok(json!({
        "file_id": file_id,
        "file_unique_id": format!("unique-{file_id}"),
        "file_size": bytes.len(),
        "file_path": format!("files/{file_id}"),
    }))
}

/// The answer keeps neither name nor media type (`channels.md`, section 2.4).
fn download(chats: &Chats, path: &str) -> Scripted {
    match path
        .strip_prefix("files/")
        .and_then(|file_id| chats.files.get(file_id))
    {
        Some(bytes) => Scripted::raw("application/octet-stream", bytes.clone()),
        None => ApiError::new(404, "Not Found").answer(),
    }
}

fn bot_id(token: &str) -> i64 {
    token
        .split(':')
        .next()
        .and_then(|id| id.parse().ok())
        .unwrap_or(0)
}
