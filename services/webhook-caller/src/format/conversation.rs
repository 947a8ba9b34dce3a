//! A turn as both published APIs see it: who said what, with files in a form that they can read.

use domain::payload;
use proto_schemas::content::{IncomingFile, Role, StoredFile, Utterance};
use proto_schemas::turn::Turn;

/// The types of image that both APIs read. Others are linked to in words.
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];
const PDF: &str = "application/pdf";
/// Stands for a message of the user without words and files, as both APIs want something to answer.
const NOTHING_SAID: &str = "[empty message]";

/// What an API is told.
pub(super) struct Conversation {
    /// The bot's system prompt, if it has one.
    pub(super) system: Option<String>,
    /// What was said, the question last.
    pub(super) messages: Vec<Message>,
}

/// What one said at a time. Never without a part.
pub(super) struct Message {
    pub(super) role: Role,
    pub(super) parts: Vec<Part>,
}

/// A part of a message.
pub(super) enum Part {
    /// Words. Never blank.
    Text(String),
    /// An image, by its link.
    Image {
        /// The link.
        url: String,
    },
    /// A PDF, which one of the APIs reads.
    Pdf {
        /// The link.
        url: String,
        /// The file's name.
        name: String,
    },
}

/// What is to be told of a turn; none if it asks nobody.
pub(super) fn of(turn: &Turn, link: impl Fn(&StoredFile) -> String) -> Option<Conversation> {
    let (system, said) = payload::told(turn)?;
    Some(Conversation {
        system: system.filter(|prompt| !is_blank(prompt)).map(str::to_owned),
        messages: said.filter_map(|utterance| message(utterance, &link)).collect(),
    })
}

/// A file that is linked to in words.
pub(super) fn file_in_words(name: &str, mime_type: &str, url: &str) -> String {
    format!("[File {name} ({mime_type}): {url}]")
}

pub(super) fn pdf_in_words(name: &str, url: &str) -> String {
    file_in_words(name, PDF, url)
}

fn message(utterance: &Utterance, link: impl Fn(&StoredFile) -> String) -> Option<Message> {
    let text = Some(&utterance.text).filter(|text| !is_blank(text));
    let text = text.map(|text| Part::Text(text.clone()));
    let files = utterance.files.iter().map(|file| part(file, &link));
    let mut parts: Vec<Part> = text.into_iter().chain(files).collect();
    if parts.is_empty() {
        match utterance.role {
            Role::User => parts.push(Part::Text(NOTHING_SAID.to_owned())),
            Role::Assistant => return None,
        }
    }
    Some(Message {
        role: utterance.role,
        parts,
    })
}

fn part(file: &IncomingFile, link: impl Fn(&StoredFile) -> String) -> Part {
    let stored = match file {
        IncomingFile::Unavailable { name, reason } => return Part::Text(payload::unavailable(name, reason)),
        IncomingFile::Stored(stored) => stored,
    };
    let (name, url) = (stored.name.clone(), link(stored));
    match essence(&stored.mime_type).as_str() {
        PDF => Part::Pdf { url, name },
        image if IMAGES.contains(&image) => Part::Image { url },
        _ => Part::Text(file_in_words(&name, &stored.mime_type, &url)),
    }
}

/// A media type without its parameters.
fn essence(mime_type: &str) -> String {
    let (essence, _) = mime_type.split_once(';').unwrap_or((mime_type, ""));
    essence.trim().to_ascii_lowercase()
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}
