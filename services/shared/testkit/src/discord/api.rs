//! The calls of the REST API that the platform makes.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use super::channels::{Channels, Interaction, Original, SentFile, SentMessage};
use super::interaction::APPLICATION;
use super::request::{Body, Call, Endpoint};
use crate::backend::Scripted;

/// The longest text of a message; counted in UTF-16 code units, to be on the safe side.
const MAX_TEXT: usize = 2000;
/// The largest file.
const MAX_FILE: usize = 10 * 1024 * 1024;

/// A refusal: the status and the code.
type Refusal = (u16, u64);

pub(super) fn respond(channels: &mut Channels, token: &str, call: Call) -> Scripted {
    if call.endpoint == Endpoint::File {
        return download(channels, &call);
    }
    if !call.user_agent.starts_with("DiscordBot (") || !call.user_agent.ends_with(')') {
        return refuse((403, 40333));
    }
    let as_bot = matches!(call.endpoint, Endpoint::Message | Endpoint::Typing);
    if as_bot && call.authorization != Some(format!("Bot {token}")) {
        return refuse((401, 0));
    }
    let answer = match call.endpoint {
        Endpoint::Message => return to_channel(channels, call),
        Endpoint::Original => edit(channels, call),
        Endpoint::DeleteOriginal => delete(channels, &call),
        Endpoint::FollowUp => follow_up(channels, call),
        Endpoint::Typing => return done(),
        Endpoint::File | Endpoint::Unknown => Err((404, 0)),
    };
    answer.unwrap_or_else(refuse)
}

/// Discord's body of an error.
pub(super) fn refuse((status, code): Refusal) -> Scripted {
    let message = format!("scripted {status} {code}");
    error(status, &[], &json!({ "code": code, "message": message }))
}

pub(super) fn limit(wait: Duration, is_global: bool) -> Scripted {
    let body = json!({
        "message": "You are being rate limited.", "retry_after": wait.as_secs_f64(), "global": is_global,
    });
    let seconds = (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).to_string();
    let scope = if is_global { "global" } else { "user" };
    let mut headers = vec![("retry-after", seconds.as_str()), ("x-ratelimit-scope", scope)];
    if is_global {
        headers.push(("x-ratelimit-global", "true"));
    }
    error(429, &headers, &body)
}

/// What Cloudflare says, which stands before Discord.
pub(super) fn page(status: u16, retry_after: Option<u64>) -> Scripted {
    let wait = retry_after.map(|seconds| ("retry-after".to_owned(), seconds.to_string()));
    let kind = ("content-type".to_owned(), "text/html".to_owned());
    Scripted::Status {
        status,
        headers: [kind].into_iter().chain(wait).collect(),
        body: Bytes::from_static(b"<!DOCTYPE html><title>Access denied</title>"),
    }
}

fn error(status: u16, headers: &[(&str, &str)], body: &Value) -> Scripted {
    let kind = [("content-type", "application/json")];
    let headers = kind.iter().chain(headers);
    Scripted::Status {
        status,
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: body.to_string().into(),
    }
}

fn to_channel(channels: &mut Channels, call: Call) -> Scripted {
    let channel = call.target.clone();
    if let Some(refusal) = channels.closed.get(&channel) {
        return refuse(*refusal);
    }
    if let Some((wait, is_global)) = channels.wait_of(&channel, Instant::now()) {
        return limit(wait, is_global);
    }
    let message = match message(channels, &channel, call) {
        Ok(message) => message,
        Err(refusal) => return refuse(refusal),
    };
    // Who sends a message again gets the first one back (`channels.md`, section 4.5.7).
    let nonce = message.payload["nonce"].as_str();
    let known = nonce
        .filter(|_| message.payload["enforce_nonce"] == true)
        .and_then(|nonce| channels.known(&channel, nonce));
    if let Some(known) = known {
        return Scripted::Reply(shown(known));
    }
    let answer = shown(&message);
    channels.sent.push(message);
    Scripted::Reply(answer)
}

/// The answer takes the place of what says that the bot is thinking, or of the answer before it.
fn edit(channels: &mut Channels, call: Call) -> Result<Scripted, Refusal> {
    let token = call.target.clone();
    let interaction = open(channels, &token)?;
    let (channel, original) = (interaction.channel.clone(), interaction.original.clone());
    let mut message = message(channels, &channel, call)?;
    match original {
        Original::Deleted => return Err((404, 10008)),
        Original::Thinking => {}
        Original::Message(id) => {
            message.id = id;
            channels.sent.retain(|before| before.id != message.id);
        }
    }
    let answer = shown(&message);
    if let Some(interaction) = channels.interactions.get_mut(&token) {
        interaction.original = Original::Message(message.id.clone());
    }
    channels.sent.push(message);
    Ok(Scripted::Reply(answer))
}

fn delete(channels: &mut Channels, call: &Call) -> Result<Scripted, Refusal> {
    let interaction = open(channels, &call.target)?;
    if interaction.original == Original::Deleted {
        return Err((404, 10008));
    }
    interaction.original = Original::Deleted;
    Ok(done())
}

/// What is done has no body.
fn done() -> Scripted {
    Scripted::Status {
        status: 204,
        headers: Vec::new(),
        body: Bytes::new(),
    }
}

fn follow_up(channels: &mut Channels, call: Call) -> Result<Scripted, Refusal> {
    let channel = open(channels, &call.target)?.channel.clone();
    let message = message(channels, &channel, call)?;
    let answer = shown(&message);
    channels.sent.push(message);
    Ok(Scripted::Reply(answer))
}

/// An interaction whose token is good still.
fn open<'a>(channels: &'a mut Channels, token: &str) -> Result<&'a mut Interaction, Refusal> {
    let interaction = channels.interactions.get_mut(token).ok_or((404, 10015))?;
    if interaction.is_open {
        Ok(interaction)
    } else {
        Err((401, 50027))
    }
}

/// The message that a call makes.
fn message(channels: &mut Channels, channel: &str, call: Call) -> Result<SentMessage, Refusal> {
    let Body { payload, files } = call.body.ok_or((400, 50109))?;
    let text = payload["content"].as_str().unwrap_or_default();
    if text.encode_utf16().count() > MAX_TEXT || !has_sound_components(&payload["components"]) {
        return Err((400, 50035));
    }
    let file = announced(&payload["attachments"], files)?;
    if text.trim().is_empty() && file.is_none() {
        return Err((400, 50006));
    }
    Ok(SentMessage {
        channel: channel.to_owned(),
        endpoint: call.endpoint,
        text: text.to_owned(),
        file,
        id: channels.new_id(),
        payload,
        at: Instant::now(),
    })
}

/// The one file, which has to be announced under its number and its name.
fn announced(attachments: &Value, files: Vec<(String, SentFile)>) -> Result<Option<SentFile>, Refusal> {
    let announced = attachments.as_array().map_or(0, Vec::len);
    let mut files = files.into_iter();
    let (file, None) = (files.next(), files.next()) else {
        return Err((400, 30015));
    };
    match file {
        None if announced == 0 => Ok(None),
        Some((_, file)) if file.bytes.len() > MAX_FILE => Err((413, 40005)),
        Some((field, file))
            if field == "files[0]"
                && announced == 1
                && attachments[0]["id"] == "0"
                && attachments[0]["filename"] == file.name.as_str() =>
        {
            Ok(Some(file))
        }
        None | Some(_) => Err((400, 50035)),
    }
}

/// At most five rows of five buttons, each of which says something else.
fn has_sound_components(components: &Value) -> bool {
    let none = Vec::new();
    let list = |value: &Value| value.as_array().unwrap_or(&none).clone();
    let rows = list(components);
    let buttons: Vec<Value> = rows.iter().flat_map(|row| list(&row["components"])).collect();
    let ids: Vec<&str> = buttons
        .iter()
        .filter_map(|button| button["custom_id"].as_str())
        .collect();
    let is_within = |text: &Value, limit| {
        let count = text.as_str().map_or(0, |text| text.chars().count());
        (1..=limit).contains(&count)
    };
    rows.len() <= 5
        && rows
            .iter()
            .all(|row| row["type"] == 1 && (1..=5).contains(&list(&row["components"]).len()))
        && buttons.iter().all(|button| {
            let does = if button["style"] == 5 {
                is_within(&button["url"], 512)
            } else {
                is_within(&button["custom_id"], 100)
            };
            does && button["type"] == 2 && is_within(&button["label"], 80)
        })
        && ids.iter().collect::<HashSet<_>>().len() == ids.len()
}

/// The message as Discord repeats it.
fn shown(message: &SentMessage) -> Value {
    json!({
        "id": message.id, "channel_id": message.channel, "content": message.text, "type": 0,
        "timestamp": "2026-01-05T00:50:57.486000+00:00", "edited_timestamp": null, "tts": false,
        "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [], "embeds": [],
        "components": [], "pinned": false, "flags": 0,
        "author": {
            "id": APPLICATION, "username": "support", "discriminator": "6184", "avatar": null, "bot": true,
            "public_flags": 0, "global_name": null,
        },
    })
}

/// The address is the permission; a token has no business here.
fn download(channels: &Channels, call: &Call) -> Scripted {
    if call.authorization.is_some() {
        return refuse((400, 0));
    }
    match channels.files.get(&call.target) {
        Some((mime_type, bytes)) => Scripted::raw(mime_type.clone(), bytes.clone()),
        None => page(404, None),
    }
}
