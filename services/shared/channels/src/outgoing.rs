//! What goes out, in words that all channels share.

use std::time::Duration;

use bytes::Bytes;
use outbound::{Denied, call_class, error_text};
use proto_schemas::content::{Button, StoredFile};
use reqwest::{Body, multipart};
use serde::Serialize;

use crate::markdown::telegram::Entity;

/// How long sending a text may take. The platforms answer within a second or two.
pub(crate) const SEND_DEADLINE: Duration = Duration::from_secs(30);
/// How long sending a file may take: 50 MB at about 4 Mbit/s.
pub(crate) const UPLOAD_DEADLINE: Duration = Duration::from_secs(120);
/// The most that is read of a platform's answer: some repeat the message that was sent.
pub(crate) const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The pause when a platform asks for one without saying how long.
pub(crate) const DEFAULT_PAUSE: Duration = Duration::from_secs(1);

/// A reply to be rendered.
#[derive(Debug, Clone, Copy)]
pub struct OutgoingReply<'a> {
    /// The text, in Markdown; may be empty when there are files.
    pub text: &'a str,
    /// The files, in order.
    pub files: &'a [OutgoingFile],
    /// What the user may press.
    pub buttons: &'a [Button],
}

/// A file of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingFile {
    /// The name it has in the chat.
    pub name: String,
    /// Its media type.
    pub mime_type: Option<String>,
    /// A link that the user can follow; none when there is none that works.
    pub url: Option<String>,
    /// Where it lies; none when it could not be had.
    pub stored: Option<StoredFile>,
}

/// A piece of a reply that is sent by one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Whether it points at the message that is answered: the first part does.
    pub quotes: bool,
    /// What is sent.
    pub content: PartContent,
    /// What the user may press under it: the last part has the reply's buttons.
    pub buttons: Vec<Button>,
}

/// What a part sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartContent {
    /// A text, and links to files where the channel takes them.
    Message {
        /// The text, in the channel's own markup.
        text: String,
        /// Its formats, where the channel is told of them beside the text.
        entities: Vec<Entity>,
        /// The files, as links.
        links: Vec<FileLink>,
    },
    /// A file whose bytes are sent. The caller reads them into [`SendMeta::content`].
    Upload {
        /// The file.
        file: StoredFile,
        /// How it is shown.
        form: UploadForm,
    },
}

impl PartContent {
    /// A text in the channel's own markup, and nothing beside it.
    pub(crate) fn text(text: String) -> Self {
        Self::Message {
            text,
            entities: Vec::new(),
            links: Vec::new(),
        }
    }
}

/// A file that is passed on as a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileLink {
    /// Where it is.
    pub url: String,
    /// Its name.
    pub name: String,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// How an uploaded file is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadForm {
    /// As a picture.
    Photo,
    /// As a piece of music.
    Audio,
    /// As a film.
    Video,
    /// As a file.
    Document,
}

/// What kind of answer the user gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyKind {
    /// The webhook's answer.
    Reply,
    /// The bot's error message.
    Failure,
    /// The conversation was reset.
    Reset,
}

/// What a call needs besides the part.
#[derive(Debug, Clone)]
pub struct SendMeta<'a> {
    /// The part's identity, the same on every retry. Holds no dot.
    pub part_id: &'a str,
    /// What kind of answer it belongs to.
    pub kind: ReplyKind,
    /// Now, in seconds since 1970.
    pub now_secs: u64,
    /// The bytes of an [`PartContent::Upload`].
    pub content: Option<Bytes>,
}

/// The platform has taken a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The platform's identifier of the message.
    pub platform_message_id: String,
}

/// Why the platform has not taken a part. `class` is one token; `detail` holds no secret and no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The platform asks for a pause. Waiting for it should cost no attempt.
    #[error("rate limited for {} s: {detail}", retry_after.as_secs())]
    RateLimited {
        /// How long, at most an hour.
        retry_after: Duration,
        /// Whether the whole account is meant, as the platform says, and not the chat alone.
        is_global: bool,
        /// In words.
        detail: String,
    },
    /// Another try may help.
    #[error("{class}: {detail}")]
    Transient {
        /// The class.
        class: &'static str,
        /// Whether the part may have been taken all the same.
        may_have_arrived: bool,
        /// In words.
        detail: String,
    },
    /// No further try helps.
    #[error("{class}: {detail}")]
    Permanent {
        /// The class.
        class: &'static str,
        /// In words.
        detail: String,
    },
}

impl Part {
    /// The file whose bytes the caller has to hand over, if there is one.
    pub fn upload(&self) -> Option<&StoredFile> {
        match &self.content {
            PartContent::Message { .. } => None,
            PartContent::Upload { file, .. } => Some(file),
        }
    }
}

impl OutgoingFile {
    /// The file as a line of text, for where it cannot be sent as a file.
    pub(crate) fn as_line(&self) -> String {
        match &self.url {
            Some(url) => format!("File: {} {url}", self.name),
            None => format!("File: {} (not available)", self.name),
        }
    }
}

impl SendError {
    /// A failure after the call was made: nobody knows whether it was carried out.
    pub(crate) fn transient(class: &'static str, detail: impl Into<String>) -> Self {
        Self::Transient {
            class,
            may_have_arrived: true,
            detail: detail.into(),
        }
    }

    /// A failure before anything was done.
    pub(crate) fn not_begun(class: &'static str, detail: impl Into<String>) -> Self {
        Self::Transient {
            class,
            may_have_arrived: false,
            detail: detail.into(),
        }
    }

    pub(crate) fn permanent(class: &'static str, detail: impl Into<String>) -> Self {
        Self::Permanent {
            class,
            detail: detail.into(),
        }
    }

    /// The caller did not hand over the bytes of an upload.
    pub(crate) fn file_missing() -> Self {
        Self::permanent("file_missing", "the file's bytes are not there")
    }

    /// The call did not come to an answer.
    pub(crate) fn unanswered(error: reqwest::Error) -> Self {
        let class = call_class(&error);
        let detail = error_text(error);
        match class {
            outbound::CallFailure::Denied => Self::permanent(class.as_str(), detail),
            // Nothing was sent.
            outbound::CallFailure::Dns | outbound::CallFailure::Connect | outbound::CallFailure::Tls => {
                Self::not_begun(class.as_str(), detail)
            }
            outbound::CallFailure::Timeout | outbound::CallFailure::Body | outbound::CallFailure::Other => {
                Self::transient(class.as_str(), detail)
            }
        }
    }
}

impl From<Denied> for SendError {
    fn from(denied: Denied) -> Self {
        Self::permanent("denied", denied.to_string())
    }
}

/// The files of a reply: those that the platform takes, each shown as `form` says, and a line for each that it would refuse:
/// larger than `max_bytes`, empty, or not there.
pub(crate) fn uploads_and_lines(
    files: &[OutgoingFile],
    max_bytes: u64,
    form: impl Fn(&StoredFile) -> UploadForm,
) -> (Vec<PartContent>, Vec<String>) {
    let (mut uploads, mut lines) = (Vec::new(), Vec::new());
    for file in files {
        match &file.stored {
            Some(stored) if (1..=max_bytes).contains(&stored.bytes) => uploads.push(PartContent::Upload {
                file: stored.clone(),
                form: form(stored),
            }),
            Some(_) | None => lines.push(file.as_line()),
        }
    }
    (uploads, lines)
}

/// A file as a part of a form.
pub(crate) fn form_part(file: &StoredFile, bytes: &Bytes) -> multipart::Part {
    let part = || {
        multipart::Part::stream_with_length(Body::from(bytes.clone()), bytes.len() as u64)
            .file_name(file.name.clone())
    };
    // A type that is none is left out; the platforms look into the file anyway.
    part().mime_str(&file.mime_type).unwrap_or_else(|_| part())
}

/// Gives the parts of a reply their order: the first points at the message that is answered, the last has the buttons.
pub(crate) fn in_order(contents: impl IntoIterator<Item = PartContent>, buttons: &[Button]) -> Vec<Part> {
    let part = |(index, content)| Part {
        quotes: index == 0,
        content,
        buttons: Vec::new(),
    };
    let mut parts: Vec<Part> = contents.into_iter().enumerate().map(part).collect();
    if let Some(last) = parts.last_mut() {
        last.buttons = buttons.to_vec();
    }
    parts
}

/// Text and the lines that stand in for files, with an empty line between.
pub(crate) fn with_lines(text: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return text.to_owned();
    }
    let lines = lines.join("\n");
    if text.trim().is_empty() {
        lines
    } else {
        format!("{text}\n\n{lines}")
    }
}
