//! What happened in a conversation, as those outside saw it: plain data, in the order in which it was seen.

use std::fmt;
use std::time::Duration;

use crate::plan::Fault;

/// A conversation from its first push to its last reply.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    /// The chat. Its messages are named `{chat}-{number}`.
    pub(crate) chat: String,
    /// Whether the bot answers waiting messages together.
    pub(crate) coalesces: bool,
    /// What happened.
    pub(crate) events: Vec<Event>,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// When, since the beginning of the run.
    pub(crate) at: Duration,
    /// What.
    pub(crate) what: What,
}

/// What may happen.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A push was answered with 2xx for the first time.
    Accepted(Message),
    /// A push of the message so named, which had been accepted, was repeated and answered with 2xx.
    PushedAgain(String),
    /// The webhook was asked.
    Asked(Call),
    /// The chat showed something of the bot.
    Shown(Shown),
}

/// A user's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its name, which is the first word of its text, unless it is a reset.
    pub(crate) name: String,
    /// What is to become of it.
    pub(crate) kind: MessageKind,
    /// The length of its text.
    pub(crate) bytes: usize,
}

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// It is to be answered.
    Question,
    /// The webhook refuses for good to answer it; its user is to be told so.
    Hopeless,
    /// The conversation is to start afresh.
    Reset,
}

/// One call of the webhook.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Its `webhook-id`.
    pub(crate) id: String,
    /// What it was told of the conversation, oldest first, the question last.
    pub(crate) lines: Vec<Line>,
    /// The last message that it was to answer.
    pub(crate) about: String,
    /// What it answered.
    pub(crate) answer: Answer,
}

/// A line of a conversation, known by its first word and its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Who said it: `user`, `assistant` or another role.
    pub(crate) role: String,
    /// Its first word, which is unique.
    pub(crate) word: String,
    /// Its length.
    pub(crate) bytes: usize,
}

impl Line {
    /// The line of a text.
    pub(crate) fn new(role: &str, text: &str) -> Self {
        Self {
            role: role.to_owned(),
            word: first_word(text).to_owned(),
            bytes: text.len(),
        }
    }
}

/// What the webhook answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A reply.
    Reply(String),
    /// It will never answer this.
    Refusal,
    /// Nothing that ends the matter: an error that passes, no answer, or one that comes too late.
    Trouble(&'static str),
}

/// One message of the bot in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    /// What it is.
    pub(crate) kind: ShownKind,
    /// The identity by which the channel tells repetitions; none where it has none.
    pub(crate) id: Option<String>,
    /// The message that it answers; the later parts of a reply in parts name none.
    pub(crate) to: Option<String>,
    /// Its text.
    pub(crate) text: String,
}

/// What a message of the bot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ShownKind {
    /// A reply, or a part of one.
    Reply,
    /// The bot's words for "I cannot answer".
    Failure,
    /// The bot's words after a reset.
    Reset,
}

/// A time in which something was broken on purpose.
#[derive(Debug, Clone)]
pub(crate) struct Disturbance {
    /// Its beginning.
    pub(crate) from: Duration,
    /// Its end.
    pub(crate) to: Duration,
    /// What was broken.
    pub(crate) what: Fault,
}

impl History {
    /// The user's messages, in the order in which they were accepted.
    pub(crate) fn messages(&self) -> Vec<&Message> {
        let messages = self.events.iter().filter_map(|event| match &event.what {
            What::Accepted(message) => Some(message),
            What::PushedAgain(_) | What::Asked(_) | What::Shown(_) => None,
        });
        messages.collect()
    }

    /// The calls of the webhook, in order.
    pub(crate) fn calls(&self) -> impl Iterator<Item = (Duration, &Call)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Asked(call) => Some((event.at, call)),
            What::Accepted(_) | What::PushedAgain(_) | What::Shown(_) => None,
        })
    }

    /// What the chat showed, in order.
    pub(crate) fn shown(&self) -> impl DoubleEndedIterator<Item = (Duration, &Shown)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Shown(shown) => Some((event.at, shown)),
            What::Accepted(_) | What::PushedAgain(_) | What::Asked(_) => None,
        })
    }

    /// When each message that has a reply of its own was accepted, and when the first part of that was shown.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (Duration, Duration)> {
        self.events.iter().filter_map(|event| match &event.what {
            What::Accepted(message) => {
                let is_its = |shown: &Shown| shown.to.as_ref() == Some(&message.name);
                let (shown, _) = self.shown().find(|(_, shown)| is_its(shown))?;
                Some((event.at, shown))
            }
            What::PushedAgain(_) | What::Asked(_) | What::Shown(_) => None,
        })
    }

    /// Whether the last message that was accepted has its outcome, as far as its user can see.
    pub(crate) fn is_quiet(&self) -> bool {
        let messages = self.messages();
        let Some(last) = messages.last() else {
            return true;
        };
        self.shown()
            .rev()
            .any(|(_, shown)| shown.to.as_ref() == Some(&last.name))
    }
}

/// The first word of a text; empty if there is none.
pub(crate) fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9.3}  {}", self.at.as_secs_f64(), self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(message) => write!(f, "accepted  {} ({:?})", message.name, message.kind),
            Self::PushedAgain(name) => write!(f, "accepted  {name} again"),
            Self::Asked(call) => {
                let told: Vec<&str> = call.lines.iter().map(|line| line.word.as_str()).collect();
                let answer = match &call.answer {
                    Answer::Reply(text) => first_word(text),
                    Answer::Refusal => "refused for good",
                    Answer::Trouble(trouble) => trouble,
                };
                write!(f, "asked     {} [{}] -> {answer}", call.id, told.join(" "))
            }
            Self::Shown(shown) => {
                let (to, id) = (shown.to.as_deref(), shown.id.as_deref());
                let (to, id) = (to.unwrap_or("-"), id.unwrap_or("-"));
                let words: Vec<&str> = shown.text.split_whitespace().take(3).collect();
                write!(
                    f,
                    "shown     {:?} to {to} id {id}: {}",
                    shown.kind,
                    words.join(" ")
                )
            }
        }
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.as_secs_f64(), self.to.as_secs_f64());
        write!(f, "{from:9.3}  !!! until {to:.3}: {:?}", self.what)
    }
}
