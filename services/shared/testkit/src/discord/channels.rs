//! What Discord remembers of its channels and interactions.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;

use super::request::Endpoint;

/// Below it are no identifiers of messages.
const FIRST_ID: u64 = 1_457_536_583_141_163_200;

/// A message that a bot sent.
#[derive(Debug, Clone)]
pub struct SentMessage {
    /// The channel.
    pub channel: String,
    /// The way on which it came.
    pub endpoint: Endpoint,
    /// The text, as Discord was given it; empty for a file.
    pub text: String,
    /// The file.
    pub file: Option<SentFile>,
    /// All that Discord was given.
    pub payload: Value,
    /// The identifier that the bot was told.
    pub id: String,
    /// When it came.
    pub at: Instant,
}

/// A file that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentFile {
    /// Its name.
    pub name: String,
    /// Its content.
    pub bytes: Bytes,
}

/// An interaction that was answered.
#[derive(Debug)]
pub(super) struct Interaction {
    pub(super) channel: String,
    pub(super) is_open: bool,
    pub(super) original: Original,
}

/// What stands where the first answer to an interaction goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Original {
    /// That the bot is thinking.
    Thinking,
    /// A message, by its identifier.
    Message(String),
    /// Nothing any more.
    Deleted,
}

/// What is to happen to one call.
#[derive(Debug)]
pub(super) enum Failure {
    Refuse {
        status: u16,
        code: u64,
    },
    /// As Cloudflare answers, with a page.
    Page {
        status: u16,
        retry_after: Option<u64>,
    },
    Limit {
        seconds: f64,
        is_global: bool,
    },
    /// It is done, and the answer lost.
    LoseAnswer,
    /// The connection breaks off before all has come.
    BreakOff,
}

/// At most so many messages within so long.
pub(super) type Rate = (usize, Duration);

#[derive(Debug, Default)]
pub(super) struct Channels {
    pub(super) sent: Vec<SentMessage>,
    pub(super) calls: Vec<Endpoint>,
    pub(super) interactions: HashMap<String, Interaction>,
    /// Users' files: type and content.
    pub(super) files: HashMap<String, (String, Bytes)>,
    /// Channels that take nothing, with the status and the code of the refusal.
    pub(super) closed: HashMap<String, (u16, u64)>,
    pub(super) channel_rate: Option<Rate>,
    pub(super) global_rate: Option<Rate>,
    /// How many identifiers were given away.
    ids: u64,
    failures: HashMap<Endpoint, VecDeque<Failure>>,
}

impl Channels {
    pub(super) fn fail_next(&mut self, endpoint: Endpoint, failure: Failure) {
        self.failures.entry(endpoint).or_default().push_back(failure);
    }

    pub(super) fn next_failure(&mut self, endpoint: Endpoint) -> Option<Failure> {
        self.failures.get_mut(&endpoint)?.pop_front()
    }

    pub(super) fn new_id(&mut self) -> String {
        self.ids += 1;
        (FIRST_ID + self.ids).to_string()
    }

    /// A message that was sent to the channel under this nonce before.
    pub(super) fn known(&self, channel: &str, nonce: &str) -> Option<&SentMessage> {
        self.sent
            .iter()
            .find(|message| message.channel == channel && message.payload["nonce"] == nonce)
    }

    /// How long the bot must wait for its next message to the channel, and whether to all channels.
    pub(super) fn wait_of(&self, channel: &str, now: Instant) -> Option<(Duration, bool)> {
        let as_bot = || {
            let sent = self.sent.iter().rev();
            sent.filter(|message| message.endpoint == Endpoint::Message)
        };
        let of_channel = as_bot().filter(|message| message.channel == channel);
        let global = wait(self.global_rate, as_bot().map(|message| message.at), now);
        let bucket = wait(self.channel_rate, of_channel.map(|message| message.at), now);
        global
            .map(|wait| (wait, true))
            .or(bucket.map(|wait| (wait, false)))
    }
}

/// Until the message that must be out of the window before another fits in.
fn wait(
    rate: Option<Rate>,
    mut newest_first: impl Iterator<Item = Instant>,
    now: Instant,
) -> Option<Duration> {
    let (messages, per) = rate?;
    let oldest = newest_first.nth(messages.checked_sub(1)?)?;
    (oldest + per)
        .checked_duration_since(now)
        .filter(|wait| !wait.is_zero())
}
