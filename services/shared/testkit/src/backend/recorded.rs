//! What a webhook was asked.

use std::time::Instant;

use axum::http::HeaderMap;
use axum::http::request::Parts;
use bytes::Bytes;
use proto_schemas::webhook::{ContentPart, WebhookContent, WebhookRequest};

/// One HTTP call.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its place among all calls, from 0.
    pub number: usize,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, byte for byte.
    pub body: Bytes,
    /// Its body as the guide's request; none if it is something else.
    pub request: Option<WebhookRequest>,
    /// When its body was complete.
    pub received_at: Instant,
    /// How it ended.
    pub ending: Ending,
}

/// How a call ended, as the webhook sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It has not: held back, delayed or hanging.
    Open,
    /// It was answered: status and headers went out. A body that drips may still be on its way.
    Answered(Instant),
    /// The caller hung up first, or the script cut the connection.
    Abandoned(Instant),
}

impl Ending {
    pub(super) fn answered() -> Self {
        Self::Answered(Instant::now())
    }

    pub(super) fn abandoned() -> Self {
        Self::Abandoned(Instant::now())
    }

    /// When it ended; none while the call is open.
    pub fn at(self) -> Option<Instant> {
        match self {
            Self::Open => None,
            Self::Answered(at) | Self::Abandoned(at) => Some(at),
        }
    }
}

impl Recorded {
    pub(super) fn new(number: usize, head: Parts, body: Bytes) -> Self {
        let request = serde_json::from_slice(&body).ok();
        let received_at = Instant::now();
        Self {
            number,
            headers: head.headers,
            body,
            request,
            received_at,
            ending: Ending::Open,
        }
    }

    /// A header's value; none if it is absent or no text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The conversation it is about; empty if the body is not the guide's.
    pub fn conversation_id(&self) -> &str {
        self.request
            .as_ref()
            .map_or("", |request| &request.conversation_id)
    }

    /// What was said, oldest first: role (`system`, `user`, `assistant`) and text. The texts of a message with
    /// files are put together.
    pub fn said(&self) -> impl Iterator<Item = (&str, String)> {
        let messages = self.request.iter().flat_map(|request| &request.messages);
        messages.map(|message| (message.role.as_str(), text(&message.content)))
    }

    /// What `role` said, oldest first.
    pub fn texts(&self, role: &str) -> Vec<String> {
        self.said()
            .filter(|(by, _)| *by == role)
            .map(|(_, text)| text)
            .collect()
    }

    /// What the user said last; empty if nothing.
    pub fn last_text(&self) -> String {
        self.texts("user").pop().unwrap_or_default()
    }
}

fn text(content: &WebhookContent) -> String {
    match content {
        WebhookContent::Text(text) => text.clone(),
        WebhookContent::Parts(parts) => parts.iter().filter_map(part_text).collect(),
    }
}

fn part_text(part: &ContentPart) -> Option<&str> {
    match part {
        ContentPart::Text { text } => Some(text),
        ContentPart::ImageUrl { .. } | ContentPart::File { .. } => None,
    }
}

/// How many of `calls` were open at the same moment at most: for one conversation it must be 1.
pub fn most_in_flight<'a>(calls: impl IntoIterator<Item = &'a Recorded>) -> usize {
    let mut changes: Vec<(Instant, i32)> = Vec::new();
    for call in calls {
        changes.push((call.received_at, 1));
        changes.extend(call.ending.at().map(|at| (at, -1)));
    }
    // At the same instant the end of one call goes before the beginning of another.
    changes.sort();
    let open = changes.iter().scan(0, |open, (_, change)| {
        *open += change;
        Some(*open)
    });
    usize::try_from(open.max().unwrap_or(0)).expect("a call begins before it ends")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::Request;
    use serde_json::json;

    use super::*;

    fn call(body: &serde_json::Value) -> Recorded {
        let (head, ()) = Request::new(()).into_parts();
        Recorded::new(0, head, body.to_string().into())
    }

    fn request(messages: serde_json::Value) -> serde_json::Value {
        json!({
            "messages": messages,
            "conversation_id": "conv_1",
            "user": { "id": "u", "platform": "http" },
            "bot": { "id": "b", "name": "B" },
            "metadata": { "channel": "http", "chat_id": "c" },
        })
    }

    #[test]
    fn texts_are_told_apart_by_role_and_read_out_of_parts() {
        let image = json!({ "type": "image_url", "image_url": { "url": "https://x/y" } });
        let call = call(&request(json!([
            { "role": "system", "content": "be kind" },
            { "role": "user", "content": "hello" },
            { "role": "assistant", "content": "hi" },
            { "role": "user", "content": [{ "type": "text", "text": "look" }, image] },
        ])));
        assert_eq!(call.texts("user"), ["hello", "look"]);
        assert_eq!(call.texts("assistant"), ["hi"]);
        assert_eq!(call.last_text(), "look");
        assert_eq!(call.conversation_id(), "conv_1");
    }

    #[test]
    fn calls_that_follow_one_another_are_never_in_flight_together() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let lasting = |from, to| {
            let mut call = call(&json!({}));
            call.received_at = at(from);
            call.ending = Ending::Answered(at(to));
            call
        };
        assert_eq!(most_in_flight(&[lasting(0, 10), lasting(10, 20)]), 1);
        assert_eq!(
            most_in_flight(&[lasting(0, 11), lasting(10, 20), lasting(10, 12)]),
            3
        );
        assert_eq!(most_in_flight(&[]), 0);
    }
}
