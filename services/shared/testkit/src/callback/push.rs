//! Pushing messages to ingress.

use std::sync::atomic::{AtomicU64, Ordering};

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::now_seconds;
use crate::client::client;
use crate::signature::sign;

/// A secret of 32 bytes in the form `whsec_…`, the same for the same label.
pub fn new_secret(label: &str) -> String {
    format!("whsec_{}", BASE64.encode(&Sha256::digest(label)))
}

/// The three headers of a signed push. `timestamp` is in seconds.
pub fn sign_push(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> [(&'static str, String); 3] {
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", sign(secret, id, timestamp, body)),
    ]
}

/// A push's body: a text of user `user_id` in the channel's conversation `conversation_id`.
pub fn text_message(conversation_id: &str, user_id: &str, text: &str) -> Value {
    json!({ "conversation_id": conversation_id, "user": { "id": user_id, "name": user_id }, "text": text })
}

/// Pushes `message` through `connection`, under a `webhook-id` of its own.
///
/// # Panics
/// When ingress does not answer at all.
pub async fn push(ingress_url: &str, connection: &str, secret: &str, message: &Value) -> reqwest::Response {
    push_with_id(ingress_url, connection, secret, &fresh_id(), message)
        .await
        .expect("ingress answers")
}

/// Pushes `message` under a given `webhook-id`: a second time for a duplicate, or after an error.
///
/// # Errors
/// What the client says when ingress cannot be reached or is cut off.
pub async fn push_with_id(
    ingress_url: &str,
    connection: &str,
    secret: &str,
    id: &str,
    message: &Value,
) -> reqwest::Result<reqwest::Response> {
    let body = message.to_string().into_bytes();
    let url = format!(
        "{}/v1/channels/{connection}/messages",
        ingress_url.trim_end_matches('/')
    );
    let request = client().post(url).header("content-type", "application/json");
    let headers = sign_push(secret, id, now_seconds(), &body);
    let request = headers
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value));
    request.body(body).send().await
}

/// Differs between test processes and within one.
fn fresh_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("push_{}_{}_{next}", now_seconds(), std::process::id())
}
