//! What `chatbot up` brings along so that a message can be sent and its reply seen: an echo webhook, and the
//! receiving end of the HTTP channel.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use outbound::signature::{self, SigningKey};
use proto_schemas::webhook::{WebhookContent, WebhookRequest};
use runtime::clock;
use runtime::web::{self, Bound};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Failure;

/// Replies kept per conversation; the oldest go first.
const KEPT: usize = 100;
/// Conversations kept; when there are more all are forgotten. It is a playground.
const CONVERSATIONS: usize = 1000;
/// The longest that a reader may wait for a reply, in seconds.
const LONGEST_WAIT_SECS: u64 = 60;
/// The longest that the echo bot may be asked to think, in milliseconds.
const LONGEST_THOUGHT_MILLIS: u64 = 60_000;

/// A reply as the HTTP channel delivered it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// `reply`, `failure` or `reset`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) conversation_id: String,
    #[serde(default)]
    pub(crate) in_reply_to: Option<String>,
    pub(crate) message_id: String,
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) attachments: Vec<serde_json::Value>,
}

/// The playground's memory. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Playground {
    keys: Arc<Vec<SigningKey>>,
    replies: Arc<Mutex<HashMap<String, Vec<Reply>>>>,
    changed: watch::Sender<u64>,
    thinking: watch::Sender<usize>,
}

impl Playground {
    /// Takes replies that are signed with `secret`.
    pub(crate) fn new(secret: &str) -> Result<Self, Failure> {
        Ok(Self {
            keys: Arc::new(vec![SigningKey::parse(secret).map_err(Failure::new)?]),
            replies: Arc::default(),
            changed: watch::channel(0).0,
            thinking: watch::channel(0).0,
        })
    }

    /// Binds a free port of this machine.
    pub(crate) async fn bind() -> Result<Bound, Failure> {
        web::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .map_err(Failure::new)
    }

    /// The endpoints: `POST /echo`, `POST /callback`, `GET /replies/{conversation}`.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/echo", post(echo))
            .route("/callback", post(callback))
            .route("/replies/{conversation}", get(replies))
            .with_state(self.clone())
    }

    /// Waits until the echo bot has been asked `calls` times.
    pub(crate) async fn wait_for_calls(&self, calls: usize) {
        // Fails only when the sender is gone, and `self` holds it.
        let mut thinking = self.thinking.subscribe();
        let _waited = thinking.wait_for(|seen| *seen >= calls).await;
    }

    /// The replies of a conversation, or those to one message of it, at least `count` of them unless the wait
    /// ends first.
    pub(crate) async fn replies_of(
        &self,
        conversation: &str,
        in_reply_to: Option<&str>,
        count: usize,
        wait: Duration,
    ) -> Vec<Reply> {
        let deadline = Instant::now() + wait;
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let mut found = self.kept().get(conversation).cloned().unwrap_or_default();
            if let Some(asked) = in_reply_to {
                found.retain(|reply| reply.in_reply_to.as_deref() == Some(asked));
            }
            if found.len() >= count {
                return found;
            }
            match tokio::time::timeout_at(deadline, changed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return found,
            }
        }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<Reply>>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A delivery may come twice; its identity is the same then.
    fn keep(&self, reply: Reply) {
        let mut replies = self.kept();
        if replies.len() >= CONVERSATIONS && !replies.contains_key(&reply.conversation_id) {
            replies.clear();
        }
        let list = replies.entry(reply.conversation_id.clone()).or_default();
        if list.iter().all(|kept| kept.message_id != reply.message_id) {
            list.push(reply);
        }
        let surplus = list.len().saturating_sub(KEPT);
        list.drain(..surplus);
        drop(replies);
        self.changed.send_modify(|version| *version += 1);
    }
}

#[derive(Deserialize)]
struct Thought {
    #[serde(default)]
    delay_ms: u64,
}

/// Answers what was said, numbered after its own last answer: a reply shows what it was built on.
async fn echo(
    State(playground): State<Playground>,
    Query(thought): Query<Thought>,
    Json(request): Json<WebhookRequest>,
) -> Json<serde_json::Value> {
    playground.thinking.send_modify(|calls| *calls += 1);
    tokio::time::sleep(Duration::from_millis(
        thought.delay_ms.min(LONGEST_THOUGHT_MILLIS),
    ))
    .await;
    Json(serde_json::json!({ "content": echo_text(&request), "metadata": { "model": "echo" } }))
}

fn echo_text(request: &WebhookRequest) -> String {
    let last = |role: &str| request.messages.iter().rev().find(|message| message.role == role);
    let said = last("user")
        .map(|message| text_of(&message.content))
        .unwrap_or_default();
    let Some(before) = last("assistant").map(|message| text_of(&message.content)) else {
        return format!("#1 You said: {said}");
    };
    let number = before
        .strip_prefix('#')
        .and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
    let before = before.split(" (after ").next().unwrap_or_default();
    format!(
        "#{} You said: {said} (after \"{before}\")",
        number.unwrap_or(0) + 1
    )
}

fn text_of(content: &WebhookContent) -> String {
    use proto_schemas::webhook::ContentPart;
    match content {
        WebhookContent::Text(text) => text.clone(),
        WebhookContent::Parts(parts) => {
            let texts = parts.iter().map(|part| match part {
                ContentPart::Text { text } => text.clone(),
                ContentPart::ImageUrl { .. } => "[an image]".to_owned(),
                ContentPart::File { file } => format!("[the file {}]", file.filename),
            });
            texts.collect::<Vec<_>>().join(" ")
        }
    }
}

async fn callback(State(playground): State<Playground>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let verified = signature::verify(
        &playground.keys,
        header(signature::WEBHOOK_ID),
        header(signature::WEBHOOK_TIMESTAMP),
        header(signature::WEBHOOK_SIGNATURE),
        &body,
        clock::now().as_secs(),
    );
    if verified.is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    match serde_json::from_slice(&body) {
        Ok(reply) => {
            playground.keep(reply);
            StatusCode::NO_CONTENT
        }
        Err(_) => StatusCode::BAD_REQUEST,
    }
}

#[derive(Deserialize)]
struct Reading {
    /// Wait until there are so many.
    #[serde(default)]
    count: Option<usize>,
    /// But no longer than so many seconds.
    #[serde(default)]
    wait: u64,
    /// Only those that answer this message of the platform.
    in_reply_to: Option<String>,
}

async fn replies(
    State(playground): State<Playground>,
    Path(conversation): Path<String>,
    Query(reading): Query<Reading>,
) -> Json<Vec<Reply>> {
    let wait = Duration::from_secs(reading.wait.min(LONGEST_WAIT_SECS));
    {
        let (asked, count) = (reading.in_reply_to.as_deref(), reading.count.unwrap_or(1));
        Json(playground.replies_of(&conversation, asked, count, wait).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(messages: serde_json::Value) -> WebhookRequest {
        serde_json::from_value(serde_json::json!({"messages": messages, "conversation_id": "c",
            "user": {"id": "u", "platform": "http"}, "bot": {"id": "b", "name": "B"},
            "metadata": {"channel": "http", "chat_id": "c"}}))
        .unwrap()
    }

    #[test]
    fn each_echo_is_built_on_the_one_before() {
        let first = echo_text(&request(serde_json::json!([{"role": "user", "content": "a"}])));
        assert_eq!(first, "#1 You said: a");
        let second = echo_text(&request(serde_json::json!([
            {"role": "user", "content": "a"}, {"role": "assistant", "content": first},
            {"role": "user", "content": "b"}])));
        assert_eq!(second, "#2 You said: b (after \"#1 You said: a\")");
        let third = echo_text(&request(serde_json::json!([
            {"role": "assistant", "content": second}, {"role": "user", "content": "c"}])));
        assert_eq!(third, "#3 You said: c (after \"#2 You said: b\")");
    }

    #[test]
    fn an_unreadable_secret_is_refused() {
        assert!(Playground::new("not a secret").is_err());
    }
}
