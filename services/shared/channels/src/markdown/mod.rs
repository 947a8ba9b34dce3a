//! Replies are Markdown, as models write it: CommonMark with tables, strikethrough and task lists.
//!
//! [`parse`] turns it into a [`document::Document`], plain text with marked stretches, which each channel's dialect
//! writes in pieces that the channel takes. What a dialect has no form for is readable as plain text.
//!
//! Guarantees:
//! - No input makes any of it panic, and time and memory grow with its length.
//! - Every piece is within its channel's limit. A stretch that is cut is closed, and opened in the next piece.
//! - All text arrives but for whitespace at cuts.
//! - Slack and Discord never get a live mention of everybody.

mod builder;
pub(crate) mod discord;
mod document;
mod links;
mod markup;
mod mentions;
mod parse;
pub(crate) mod slack;
mod table;
pub(crate) mod telegram;
#[cfg(test)]
mod tests;

pub(crate) use parse::parse;

/// What no reader sees: between two characters it keeps them from being read as one sign.
const ZERO_WIDTH_SPACE: char = '\u{200B}';

fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}
