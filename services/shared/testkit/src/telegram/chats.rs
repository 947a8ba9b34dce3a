//! What a Bot API server remembers.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

/// A message that a bot sent.
#[derive(Debug, Clone)]
pub struct SentMessage {
    /// The chat.
    pub chat_id: i64,
    /// `sendMessage`, `sendPhoto`, `sendAudio`, `sendVideo` or `sendDocument`.
    pub method: String,
    /// The text, or the caption of a file; may be empty then.
    pub text: String,
    /// How a text is formatted, as the bot told it.
    pub entities: Vec<Value>,
    /// The file.
    pub file: Option<SentFile>,
    /// The buttons under it, in rows, as the bot told them.
    pub keyboard: Option<Value>,
    /// The topic.
    pub thread_id: Option<i64>,
    /// The message that is answered.
    pub reply_to: Option<i64>,
    /// The identifier that the bot was told.
    pub message_id: i64,
    /// When it came.
    pub at: Instant,
}

/// An uploaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// Its name.
    pub name: String,
    /// Its media type, if the bot gave one.
    pub content_type: Option<String>,
    /// Its content.
    pub bytes: Bytes,
}

/// What is to happen to one call.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is refused.
    Answer {
        status: u16,
        description: String,
        parameters: Option<Value>,
    },
    /// It is done, and the answer lost.
    LoseAnswer,
}

#[derive(Debug, Default)]
pub(super) struct Chats {
    pub(super) sent: Vec<SentMessage>,
    pub(super) calls: Vec<String>,
    pub(super) files: HashMap<String, Bytes>,
    pub(super) blocked: HashSet<i64>,
    /// At most so many messages to one chat within so long.
    pub(super) rate: Option<(usize, Duration)>,
    pub(super) webhook: Option<Value>,
    failures: HashMap<String, VecDeque<Failure>>,
}

impl Chats {
    /// Method names are case-insensitive (`channels.md`, section 2.1.1).
    pub(super) fn fail_next(&mut self, method: &str, failure: Failure) {
        self.failures
            .entry(method.to_ascii_lowercase())
            .or_default()
            .push_back(failure);
    }

    pub(super) fn next_failure(&mut self, method: &str) -> Option<Failure> {
        self.failures.get_mut(&method.to_ascii_lowercase())?.pop_front()
    }

    /// How long the chat must wait for its next message; none if it need not.
    pub(super) fn wait_of(&self, chat_id: i64, now: Instant) -> Option<Duration> {
        let (messages, per) = self.rate?;
        let of_chat = self
            .sent
            .iter()
            .rev()
            .filter(|message| message.chat_id == chat_id);
        // The message that must be out of the window before another fits in.
        let oldest = of_chat.take(messages).nth(messages.checked_sub(1)?)?;
        (oldest.at + per)
            .checked_duration_since(now)
            .filter(|wait| !wait.is_zero())
    }
}
