//! A call as the REST API takes it: a JSON body, or a form with files and a JSON part.

use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderName, Method};
use bytes::Bytes;
use serde_json::Value;

use super::channels::SentFile;

/// What a call is about, as scripts and counts name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A message to a channel, as the bot.
    Message,
    /// The answer to an interaction, in the place of what says that the bot is thinking.
    Original,
    /// The end of that without an answer.
    DeleteOriginal,
    /// A further message to an interaction.
    FollowUp,
    /// The bot is shown to be typing in a channel.
    Typing,
    /// The download of a user's file.
    File,
    /// Anything else.
    Unknown,
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) endpoint: Endpoint,
    /// The channel, the token of the interaction, or the path of the file.
    pub(super) target: String,
    pub(super) authorization: Option<String>,
    pub(super) user_agent: String,
    /// None when there is no type, or another one than Discord takes.
    pub(super) body: Option<Body>,
}

#[derive(Debug)]
pub(super) struct Body {
    pub(super) payload: Value,
    /// Files with the names of their fields.
    pub(super) files: Vec<(String, SentFile)>,
}

/// Reads the address of a call.
pub(super) fn addressed(request: &Request) -> (Endpoint, String) {
    let path = request.uri().path().replace("%40", "@");
    if let Some(file) = path.strip_prefix("/attachments/") {
        return (Endpoint::File, file.to_owned());
    }
    let segments: Vec<&str> = path.trim_start_matches("/api/v10/").split('/').collect();
    let method = request.method();
    let (endpoint, target) = match segments[..] {
        ["channels", channel, "messages"] if method == Method::POST => (Endpoint::Message, channel),
        ["channels", channel, "typing"] if method == Method::POST => (Endpoint::Typing, channel),
        ["webhooks", _, token] if method == Method::POST => (Endpoint::FollowUp, token),
        ["webhooks", _, token, "messages", "@original"] if method == Method::PATCH => {
            (Endpoint::Original, token)
        }
        ["webhooks", _, token, "messages", "@original"] if method == Method::DELETE => {
            (Endpoint::DeleteOriginal, token)
        }
        _ => (Endpoint::Unknown, ""),
    };
    (endpoint, target.to_owned())
}

impl Call {
    pub(super) async fn read(request: Request) -> Self {
        let (endpoint, target) = addressed(&request);
        let authorization = header(&request, AUTHORIZATION);
        let user_agent = header(&request, USER_AGENT).unwrap_or_default();
        let content_type = header(&request, CONTENT_TYPE).unwrap_or_default();
        let body = match content_type.split(';').next().unwrap_or_default() {
            "application/json" => json(request).await,
            "multipart/form-data" => form(request).await,
            _ => None,
        };
        Self {
            endpoint,
            target,
            authorization,
            user_agent,
            body,
        }
    }
}

fn header(request: &Request, name: HeaderName) -> Option<String> {
    let value = request.headers().get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

async fn json(request: Request) -> Option<Body> {
    let bytes = axum::body::to_bytes(request.into_body(), usize::MAX).await.ok()?;
    Some(Body {
        payload: serde_json::from_slice(&bytes).ok()?,
        files: Vec::new(),
    })
}

async fn form(request: Request) -> Option<Body> {
    let mut form = Multipart::from_request(request, &()).await.ok()?;
    let (mut payload, mut files) = (None, Vec::new());
    while let Some(field) = form.next_field().await.ok()? {
        let field_name = field.name()?.to_owned();
        let file_name = field.file_name().map(str::to_owned);
        let bytes: Bytes = field.bytes().await.ok()?;
        match file_name {
            None if field_name == "payload_json" => payload = serde_json::from_slice(&bytes).ok(),
            None => return None,
            Some(name) => files.push((field_name, SentFile { name, bytes })),
        }
    }
    Some(Body {
        payload: payload?,
        files,
    })
}
