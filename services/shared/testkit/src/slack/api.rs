//! The methods of the Web API that the platform calls.

use std::time::Instant;

use bytes::Bytes;
use serde_json::{Value, json};

use super::event::BOT_USER;
use super::request::{Call, May};
use super::workspace::{SentFile, SentMessage, Upload, Workspace};
use crate::backend::Scripted;

/// The longest text that Slack leaves in one message, in UTF-16 code units (`channels.md`, section 3.5.2).
pub const MAX_TEXT: usize = 4000;
/// The name under which scripts know the bytes of a file that a bot sends.
pub const UPLOAD: &str = "upload";
/// The name under which scripts know the download of a user's file.
pub(super) const FILE: &str = "file";

/// Of the identifiers of messages, what stands before the point.
const SECONDS: u64 = 1_766_459_000;

/// A refusal's code.
type Answer = Result<Value, &'static str>;

pub(super) fn respond(workspace: &mut Workspace, may: May, call: Call) -> Scripted {
    match call.method.as_str() {
        FILE => return download(workspace, may, &call.target),
        UPLOAD => return take(workspace, call),
        _ => {}
    }
    match may {
        May::Yes => {}
        May::Unknown => return refuse("not_authed"),
        May::No => return refuse("invalid_auth"),
    }
    let answer = match call.method.as_str() {
        "chat.postMessage" | "files.completeUploadExternal" => {
            let channel = call.text("channel").or(call.text("channel_id"));
            let Some(channel) = channel.map(str::to_owned) else {
                return refuse("channel_not_found");
            };
            if let Some(error) = workspace.closed.get(&channel) {
                return refuse(error);
            }
            if let Some(wait) = workspace.wait_of(&channel, Instant::now()) {
                return limit(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
            }
            if call.method == "chat.postMessage" {
                post(workspace, channel, &call)
            } else {
                share(workspace, &channel, &call)
            }
        }
        "files.getUploadURLExternal" => place(workspace, &call),
        "files.info" => info(workspace, &call),
        "assistant.threads.setStatus" => set_status(&call),
        "auth.test" => Ok(json!({ "ok": true, "user_id": BOT_USER })),
        _ => Err("unknown_method"),
    };
    answer.map_or_else(refuse, Scripted::Reply)
}

/// A status is shown in a thread, and an empty one ends it (`channels.md`, section 3.5.5).
fn set_status(call: &Call) -> Result<Value, &'static str> {
    let has = |name: &str| call.text(name).is_some_and(|text| !text.is_empty());
    if has("channel_id") && has("thread_ts") && call.value("status").is_some() {
        Ok(json!({ "ok": true }))
    } else {
        Err("invalid_arguments")
    }
}

pub(super) fn refuse(error: &str) -> Scripted {
    Scripted::Reply(json!({ "ok": false, "error": error }))
}

pub(super) fn limit(seconds: u64) -> Scripted {
    let headers = vec![("retry-after".to_owned(), seconds.to_string())];
    status(429, headers, r#"{"ok":false,"error":"ratelimited"}"#)
}

pub(super) fn status(status: u16, headers: Vec<(String, String)>, body: &'static str) -> Scripted {
    Scripted::Status {
        status,
        headers,
        body: Bytes::from_static(body.as_bytes()),
    }
}

fn post(workspace: &mut Workspace, channel: String, call: &Call) -> Answer {
    let text = call.text("text").ok_or("no_text")?;
    if text.encode_utf16().count() > MAX_TEXT {
        return Err("msg_too_long");
    }
    let client_msg_id = call.text("client_msg_id").map(str::to_owned);
    // Who sends a message again gets the first one back (`channels.md`, section 3.5.7).
    if let Some(known) = client_msg_id.as_deref().and_then(|id| workspace.known(id)) {
        return Ok(json!({ "ok": true, "channel": known.channel, "ts": known.id }));
    }
    let ts = format!("{SECONDS}.{:06}", workspace.sent.len());
    let answer = json!({
        "ok": true, "channel": channel, "ts": ts,
        "message": { "type": "message", "user": BOT_USER, "text": text, "ts": ts },
    });
    workspace.sent.push(SentMessage {
        channel,
        thread_ts: call.text("thread_ts").map(str::to_owned),
        text: text.to_owned(),
        blocks: call.value("blocks").cloned(),
        file: None,
        client_msg_id,
        id: ts,
        at: Instant::now(),
    });
    Ok(answer)
}

fn place(workspace: &mut Workspace, call: &Call) -> Answer {
    let name = call.text("filename").ok_or("invalid_arguments")?.to_owned();
    let length = call.text("length").and_then(|length| length.parse().ok());
    let length = length.filter(|length| *length > 0).ok_or("missing_argument")?;
    let file_id = format!("F{:06}", workspace.uploads.len());
    let upload = Upload {
        name,
        length,
        bytes: None,
    };
    workspace.uploads.insert(file_id.clone(), upload);
    let upload_url = format!("{}/upload/v1/{file_id}", call.base);
    Ok(json!({ "ok": true, "upload_url": upload_url, "file_id": file_id }))
}

/// The address is the permission, so no token is asked for.
fn take(workspace: &mut Workspace, call: Call) -> Scripted {
    match workspace.uploads.get_mut(&call.target) {
        Some(upload) if upload.length == call.body.len() => {
            upload.bytes = Some(call.body);
            Scripted::raw("text/plain", format!("OK - {}", upload.length))
        }
        Some(_) => status(400, Vec::new(), "the length is not the one announced"),
        None => status(404, Vec::new(), ""),
    }
}

/// One file a call. Shared once, it is not known to this method any more.
fn share(workspace: &mut Workspace, channel: &str, call: &Call) -> Answer {
    let files = call.value("files").and_then(Value::as_array);
    let Some([file]) = files.map(Vec::as_slice) else {
        return Err("invalid_arguments");
    };
    let file_id = file["id"].as_str().ok_or("invalid_arguments")?;
    let is_there = workspace
        .uploads
        .get(file_id)
        .is_some_and(|upload| upload.bytes.is_some());
    let upload = if is_there {
        workspace.uploads.remove(file_id)
    } else {
        None
    };
    let Upload { name, bytes, .. } = upload.ok_or("file_not_found")?;
    workspace.sent.push(SentMessage {
        channel: channel.to_owned(),
        thread_ts: call.text("thread_ts").map(str::to_owned),
        text: String::new(),
        blocks: None,
        file: bytes.map(|bytes| SentFile { name, bytes }),
        client_msg_id: None,
        id: file_id.to_owned(),
        at: Instant::now(),
    });
    Ok(json!({ "ok": true, "files": [{ "id": file_id, "title": file["title"] }] }))
}

fn info(workspace: &Workspace, call: &Call) -> Answer {
    let file_id = call.text("file").ok_or("file_not_found")?;
    let (mimetype, bytes) = workspace.files.get(file_id).ok_or("file_not_found")?;
    let url = format!("{}/files-pri/{file_id}", call.base);
    let file = json!({
        "id": file_id, "mode": "hosted", "mimetype": mimetype, "size": bytes.len(),
        "url_private": url, "url_private_download": url,
    });
    Ok(json!({ "ok": true, "file": file }))
}

/// Without the token, everybody is shown the page to sign in at, under HTTP 200 (`channels.md`, section 3.4).
fn download(workspace: &Workspace, may: May, file_id: &str) -> Scripted {
    if may != May::Yes || workspace.files_are_hidden {
        let page = "<!DOCTYPE html><title>Sign in to Slack</title>";
        return Scripted::raw("text/html; charset=utf-8", page);
    }
    match workspace.files.get(file_id) {
        Some((mimetype, bytes)) => Scripted::raw(mimetype.clone(), bytes.clone()),
        None => status(404, Vec::new(), ""),
    }
}
