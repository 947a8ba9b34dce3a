//! Slack's dialect, mrkdwn (`channels.md`, section 3.5.2).
//!
//! It escapes `&`, `<` and `>` only. A sign that is to be read as itself is kept from its neighbours by
//! zero-width spaces, and so is a sign within a word, where Slack would not look for one.

use super::document::{Document, Format};
use super::markup::{Dialect, Literal, Signs, fenced, write};
use super::{ZERO_WIDTH_SPACE, mentions, utf16_len};

/// The longest text that Slack neither refuses nor splits, counted after the escapes; in UTF-16 it is never
/// too many.
const MAX_TEXT_UNITS: usize = 4000;

const MRKDWN: Dialect = Dialect {
    literal,
    signs,
    needs_room: true,
};

/// The pieces in which a document is sent.
pub(crate) fn pieces(document: &Document) -> Vec<String> {
    document.pieces(
        MAX_TEXT_UNITS,
        |piece| write(piece, &MRKDWN),
        |text| utf16_len(text),
    )
}

fn signs(format: &Format, text: &str) -> Signs {
    let around = |sign: &str| Signs::Around(sign.to_owned(), sign.to_owned());
    match format {
        Format::Heading(_) | Format::Bold => around("*"),
        Format::Italic => around("_"),
        Format::Strike => around("~"),
        Format::Marker => Signs::BeforeLine(text.to_owned()),
        // No code can hold what ends it.
        Format::Code if text.contains('`') => Signs::Instead(inert(&escaped(text))),
        Format::Code => Signs::Instead(format!("`{}`", escaped(text))),
        // There is no place for the language.
        Format::Pre { .. } => Signs::Instead(fenced("", &escaped(text))),
        Format::Link(url) => Signs::Instead(format!("<{}|{}>", address(url), escaped(text))),
        Format::Url => Signs::Instead(format!("<{}>", address(text))),
        Format::Quote => Signs::BeforeLines,
    }
}

fn literal(out: &mut String, literal: Literal) {
    let is_space = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match literal.character {
        '`' => out.push_str(&inert("`")),
        sign @ ('*' | '_' | '~') => {
            if !is_space(literal.before) && !is_letter(literal.after) {
                out.push(ZERO_WIDTH_SPACE);
            }
            out.push(sign);
            if !is_space(literal.after) && !is_letter(literal.before) {
                out.push(ZERO_WIDTH_SPACE);
            }
        }
        // Slack reads the escaped sign as that of a quotation, too.
        '>' if literal.begins_line => out.extend([&ZERO_WIDTH_SPACE.to_string(), "&gt;"]),
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    }
}

/// The text, with what Slack reads as the beginning of something else written out (`channels.md`, section 3.5.2).
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The text with every sign kept apart from its neighbours.
fn inert(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '_' | '~' | '`') {
            out.extend([ZERO_WIDTH_SPACE, character, ZERO_WIDTH_SPACE]);
        } else {
            out.push(character);
        }
    }
    out
}

/// An address within angle brackets, which the bar ends.
fn address(url: &str) -> String {
    escaped(&mentions::silenced_address(url)).replace('|', "%7C")
}
