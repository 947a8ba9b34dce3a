//! The chat platforms: one folder each, all with the same small face.
//!
//! [`Account`] is a connection with its secrets read. It *receives* (verifies the raw bytes, then parses),
//! *renders* a reply into parts, *sends* a part and *downloads* a user's file.
//!
//! Guarantees:
//! - Nothing is parsed before it is authentic, and no input makes `receive` panic.
//! - Every part that `render` makes is within the platform's limits.
//! - Whether an error is worth a retry is decided here, where the platform's rules are known.
//! - No error text and no `Debug` holds a secret or a URL.

mod account;
mod accounts;
mod api_base;
mod discord;
mod download;
mod http;
mod inbound;
mod markdown;
mod names;
mod outgoing;
mod signed;
mod slack;
mod sniff;
mod split;
mod telegram;

pub use account::{Account, OpenError};
pub use accounts::Accounts;
pub use discord::receive_message as receive_discord_message;
pub use download::{DOWNLOAD_DEADLINE, DownloadError, Downloaded, download_url};
pub use http::{MAX_ATTACHMENTS, MAX_CALLBACK_TEXT_BYTES, MAX_FIELD_CHARS, MAX_TEXT_BYTES, MAX_URL_BYTES};
pub use inbound::{Addressed, Inbound, InboundFile, InboundMessage, Refusal, Request};
pub use markdown::telegram::{Entity, EntityKind};
pub use names::{MAX_NAME_CHARS, sanitise_name};
pub use outgoing::{
    FileLink, OutgoingFile, OutgoingReply, Part, PartContent, ReplyKind, SendError, SendMeta, Sent,
    UploadForm,
};
pub use sniff::{is_stray_page, sniffed_type};
