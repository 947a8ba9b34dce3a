//! What comes in, in words that all channels share.

use bytes::Bytes;
use proto_schemas::content::{FileSource, Interaction, User};
use reqwest::header::HeaderMap;
use serde_json::Value;

/// The text by which a user starts afresh.
pub(crate) const RESET: &str = "/reset";

/// What the platform pushed, as it arrived.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The raw body.
    pub body: &'a [u8],
    /// Now, in seconds since 1970.
    pub now_secs: u64,
}

/// What an authentic request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inbound {
    /// A user wrote something.
    Message(InboundMessage),
    /// A user wants to start afresh.
    Reset(InboundMessage),
    /// The platform asks whether we are there, or for something that no bot has to answer. To be answered with 200
    /// and this JSON; nothing else follows.
    Handshake {
        /// What it wants to hear.
        answer: Value,
    },
    /// Nothing that is answered, but the operator has to know: the account does not work as it should.
    Trouble {
        /// What it was, as a word of the log.
        kind: &'static str,
    },
    /// Nothing that is answered. To be acknowledged and counted.
    Ignored {
        /// What it was, as a word of the log.
        kind: &'static str,
    },
}

/// A user's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboundMessage {
    /// The platform's identity of the message: the same when it is pushed again.
    pub dedup_key: String,
    /// The chat.
    pub chat_id: String,
    /// The thread or topic inside the chat, where the reply goes.
    pub thread_id: Option<String>,
    /// Whether the thread is a conversation of its own, or only a place in the chat's.
    pub thread_is_conversation: bool,
    /// The message, as a reply can refer to it.
    pub message_id: Option<String>,
    /// Who wrote it.
    pub user: User,
    /// What was written; may be empty when there are files.
    pub text: String,
    /// The files, in the platform's order. Names are sanitised.
    pub files: Vec<InboundFile>,
    /// Whether the chat has more than one user.
    pub is_group: bool,
    /// Whether it is meant for the bot.
    pub addressed: Addressed,
    /// The platform's name for the messages that it was sent together with.
    pub album: Option<String>,
    /// Whether it takes the place of a message that was written before.
    pub is_edit: bool,
    /// A way back that the platform keeps open for a while.
    pub interaction: Option<Interaction>,
    /// What the push is answered with once the message is durable; nothing in particular if none.
    pub answer: Option<Value>,
}

/// Whether a message is meant for the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressed {
    /// It names the bot, answers it or commands it, or was written to it alone.
    Surely,
    /// It is if the bot takes part in the conversation: a thread goes on without names. One of an album is if the album's
    /// beginning was.
    Perhaps,
    /// Nothing says so.
    No,
}

/// A file that came with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InboundFile {
    /// It is elsewhere and has to be fetched.
    Source(FileSource),
    /// It came inside the request and has to be stored.
    Inline {
        /// Its name.
        name: String,
        /// The media type that the sender claims.
        mime_type: Option<String>,
        /// It.
        bytes: Bytes,
    },
}

impl InboundMessage {
    /// The message as it is taken: the wish to start afresh, if that is all it says.
    ///
    /// # Errors
    /// It has an identifier that names nothing: it would not be known when it comes again, or could not be answered.
    pub(crate) fn said(self) -> Result<Inbound, Refusal> {
        let named = [
            ("key", Some(&self.dedup_key)),
            ("chat", Some(&self.chat_id)),
            ("user", Some(&self.user.id)),
            ("thread", self.thread_id.as_ref()),
            ("message", self.message_id.as_ref()),
        ];
        for (what, id) in named {
            if id.is_some_and(String::is_empty) {
                return Err(lacks(what));
            }
        }
        Ok(if self.text.trim().eq_ignore_ascii_case(RESET) {
            Inbound::Reset(self)
        } else {
            Inbound::Message(self)
        })
    }
}

/// Why a request is not taken. The texts hold neither secrets nor content of the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not authentic.
    #[error("not authentic: {0}")]
    Unauthorized(String),
    /// It is authentic, and the sender can and should mend it.
    #[error("{0}")]
    BadBody(String),
    /// It is authentic, but we cannot read it, and a refusal would only make the platform send it again: to be
    /// kept as a dead letter and acknowledged.
    #[error("not understood: {0}")]
    NotUnderstood(String),
}

pub(crate) fn ignored(kind: &'static str) -> Inbound {
    Inbound::Ignored { kind }
}

/// It is authentic, so the platform is not asked to send it again.
pub(crate) fn lacks(member: &str) -> Refusal {
    Refusal::NotUnderstood(format!("there is no {member}"))
}

/// Where JSON is wrong, without repeating any of it.
pub(crate) fn json_problem(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    if error.is_data() {
        format!("a field is missing or has the wrong type (line {line}, column {column})")
    } else {
        format!("the body is not JSON (line {line}, column {column})")
    }
}

/// A claimed media type, without parameters; none when it is not one.
pub(crate) fn media_type(claimed: &str) -> Option<String> {
    /// RFC 6838 allows 127 characters on each side; real ones are shorter than half of that.
    const MAX_MEDIA_TYPE_CHARS: usize = 127;
    let essence = claimed.split(';').next().unwrap_or_default().trim();
    let (kind, subtype) = essence.split_once('/')?;
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let sound = essence.len() <= MAX_MEDIA_TYPE_CHARS && token(kind) && token(subtype);
    sound.then(|| essence.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_loses_its_parameters_or_is_none() {
        assert_eq!(
            media_type("Text/HTML; charset=utf-8").as_deref(),
            Some("text/html")
        );
        assert_eq!(media_type("image/svg+xml").as_deref(), Some("image/svg+xml"));
        for bad in [
            "",
            "image",
            "/",
            "a/",
            "a/b/c",
            "a b/c",
            "a/b\r\nx: y",
            &format!("a/{}", "b".repeat(126)),
        ] {
            assert_eq!(media_type(bad), None, "{bad:?}");
        }
    }
}
