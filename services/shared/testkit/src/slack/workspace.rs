//! What a workspace remembers.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

/// A message that a bot sent.
#[derive(Debug, Clone)]
pub struct SentMessage {
    /// The channel.
    pub channel: String,
    /// The thread.
    pub thread_ts: Option<String>,
    /// The text, as Slack was given it; empty for a file.
    pub text: String,
    /// The blocks, which are shown in the text's place.
    pub blocks: Option<Value>,
    /// The file.
    pub file: Option<SentFile>,
    /// By which Slack knows the message again.
    pub client_msg_id: Option<String>,
    /// The identifier that the bot was told; a file's own for a file.
    pub id: String,
    /// When it came.
    pub at: Instant,
}

/// A file that was uploaded and shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// Its name.
    pub name: String,
    /// Its content.
    pub bytes: Bytes,
}

/// A file on its way through the three steps.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) name: String,
    pub(super) length: usize,
    pub(super) bytes: Option<Bytes>,
}

/// What is to happen to one call.
#[derive(Debug)]
pub(super) enum Failure {
    Refuse {
        error: String,
    },
    Status {
        status: u16,
    },
    Limit {
        seconds: u64,
    },
    /// It is done, and the answer lost.
    LoseAnswer,
}

#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub(super) sent: Vec<SentMessage>,
    pub(super) calls: Vec<String>,
    /// Users' files: type and content.
    pub(super) files: HashMap<String, (String, Bytes)>,
    pub(super) files_are_hidden: bool,
    pub(super) uploads: HashMap<String, Upload>,
    /// Channels that take nothing, and why.
    pub(super) closed: HashMap<String, String>,
    /// At most so many messages to one channel within so long.
    pub(super) rate: Option<(usize, Duration)>,
    failures: HashMap<String, VecDeque<Failure>>,
}

impl Workspace {
    pub(super) fn fail_next(&mut self, method: &str, failure: Failure) {
        self.failures
            .entry(method.to_owned())
            .or_default()
            .push_back(failure);
    }

    pub(super) fn next_failure(&mut self, method: &str) -> Option<Failure> {
        self.failures.get_mut(method)?.pop_front()
    }

    /// A message that was sent under this identity before.
    pub(super) fn known(&self, client_msg_id: &str) -> Option<&SentMessage> {
        let same = |message: &&SentMessage| message.client_msg_id.as_deref() == Some(client_msg_id);
        self.sent.iter().find(same)
    }

    /// How long the channel must wait for its next message; none if it need not.
    pub(super) fn wait_of(&self, channel: &str, now: Instant) -> Option<Duration> {
        let (messages, per) = self.rate?;
        let of_channel = self
            .sent
            .iter()
            .rev()
            .filter(|message| message.channel == channel);
        // The message that must be out of the window before another fits in.
        let oldest = of_channel.take(messages).nth(messages.checked_sub(1)?)?;
        (oldest.at + per)
            .checked_duration_since(now)
            .filter(|wait| !wait.is_zero())
    }
}
