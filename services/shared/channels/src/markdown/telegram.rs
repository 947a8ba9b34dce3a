//! Telegram's dialect: plain text, and beside it which stretches are formatted. Nothing has to be escaped.

use std::cmp::Reverse;
use std::ops::Range;

use serde::Serialize;

use super::document::{Document, Format, Span, trimmed};
use super::utf16_len;

/// The longest text. Telegram says "characters"; counted in UTF-16 it is never too many (`channels.md`,
/// section 2.5.3).
pub(crate) const MAX_TEXT_UNITS: usize = 4096;
/// How many entities Telegram shows; the rest it drops (`channels.md`, section 2.5.2).
const MAX_ENTITIES: usize = 100;

/// A text with the stretches of it that are formatted, as Telegram takes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Formatted {
    pub(crate) text: String,
    pub(crate) entities: Vec<Entity>,
}

/// A formatted stretch of a text. Offset and length are in UTF-16 code units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entity {
    /// Where it begins.
    pub offset: usize,
    /// How long it is.
    pub length: usize,
    /// How it looks.
    #[serde(flatten)]
    pub kind: EntityKind,
}

/// How a stretch of a text looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EntityKind {
    /// A quotation.
    Blockquote,
    /// Lines of code.
    Pre {
        /// Their language.
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    /// Bold.
    Bold,
    /// Italic.
    Italic,
    /// Struck through.
    Strikethrough,
    /// Words that lead to an address.
    TextLink {
        /// The address.
        url: String,
    },
    /// Code within a line.
    Code,
}

/// The pieces in which a document is sent.
pub(crate) fn pieces(document: &Document) -> Vec<Formatted> {
    document.pieces(MAX_TEXT_UNITS, write, |piece| {
        if piece.entities.len() > MAX_ENTITIES {
            usize::MAX
        } else {
            utf16_len(&piece.text)
        }
    })
}

fn write(document: &Document) -> Formatted {
    let Document { text, spans } = document;
    let offsets = utf16_offsets(text);
    let closed = closed(spans);
    let mut entities = Vec::new();
    for span in spans {
        let Some(kind) = kind(&span.format) else {
            continue;
        };
        entities.extend(visible(text, span, &closed).into_iter().map(|range| Entity {
            offset: offsets[range.start],
            length: offsets[range.end] - offsets[range.start],
            kind: kind.clone(),
        }));
    }
    entities.sort_by_key(|entity| (entity.offset, Reverse(entity.length)));
    Formatted {
        text: text.clone(),
        entities,
    }
}

fn kind(format: &Format) -> Option<EntityKind> {
    match format {
        Format::Quote => Some(EntityKind::Blockquote),
        Format::Pre { language } => Some(EntityKind::Pre {
            language: language.clone(),
        }),
        Format::Heading(_) | Format::Bold => Some(EntityKind::Bold),
        Format::Italic => Some(EntityKind::Italic),
        Format::Strike => Some(EntityKind::Strikethrough),
        Format::Link(url) => Some(EntityKind::TextLink { url: url.clone() }),
        Format::Code => Some(EntityKind::Code),
        // Telegram finds addresses by itself.
        Format::Marker | Format::Url => None,
    }
}

/// The stretches of code, in order. Code that leads somewhere is a link first: it cannot be both.
fn closed(spans: &[Span]) -> Vec<Range<usize>> {
    let mut closed = Vec::new();
    let mut end_of_link = 0;
    for span in spans {
        if matches!(span.format, Format::Link(_)) {
            end_of_link = end_of_link.max(span.end);
        } else if matches!(span.format, Format::Code | Format::Pre { .. }) && span.start >= end_of_link {
            closed.push(span.start..span.end);
        }
    }
    closed
}

/// Where the format of a span is told to Telegram: not over code, which takes no other format but a quotation.
fn visible(text: &str, span: &Span, closed: &[Range<usize>]) -> Vec<Range<usize>> {
    let whole = span.start..span.end;
    let is_closed = || {
        closed
            .binary_search_by_key(&span.start, |code| code.start)
            .is_ok()
    };
    match span.format {
        Format::Quote | Format::Pre { .. } | Format::Link(_) => vec![whole],
        Format::Code if is_closed() => vec![whole],
        Format::Code | Format::Marker | Format::Url => Vec::new(),
        Format::Heading(_) | Format::Bold | Format::Italic | Format::Strike => {
            let first = closed.partition_point(|code| code.end <= span.start);
            let inside = closed[first..].iter().take_while(|code| code.start < span.end);
            let mut ranges = Vec::new();
            let mut at = span.start;
            for code in inside {
                ranges.push(at..code.start.max(at));
                at = code.end;
            }
            ranges.push(at..span.end.max(at));
            let ranges = ranges.into_iter().map(|range| trimmed(text, range));
            ranges.filter(|range| !range.is_empty()).collect()
        }
    }
}

/// For each byte of a text, how many UTF-16 code units stand before it.
fn utf16_offsets(text: &str) -> Vec<usize> {
    let mut offsets = Vec::with_capacity(text.len() + 1);
    let mut units = 0;
    for character in text.chars() {
        offsets.extend(std::iter::repeat_n(units, character.len_utf8()));
        units += character.len_utf16();
    }
    offsets.push(units);
    offsets
}
