//! A reply as plain text with marked stretches: what all dialects are written from.

use std::cmp::Reverse;
use std::ops::Range;

use super::links;
use crate::split::split;

/// A reply, parsed. The stretches are in order of their beginning, the longer first, and each two of them are
/// apart or one lies within the other. Only [`Format::Quote`] and [`Format::Pre`] go over the end of a line;
/// they begin and end with lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Document {
    pub(super) text: String,
    pub(super) spans: Vec<Span>,
}

/// A stretch of the text, in bytes. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) format: Format,
}

/// What a stretch is. Of two that cover the same text the earlier in this list is the outer one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    /// A quotation. None lies in another.
    Quote,
    /// Lines of code, or what else needs letters of one width.
    Pre {
        /// The language, a word without spaces.
        language: Option<String>,
    },
    /// A heading of level 1 to 6.
    Heading(u8),
    /// What stands before an item of a list: `• ` or `1. `.
    Marker,
    Bold,
    Italic,
    Strike,
    /// A word that leads to a web address.
    Link(String),
    Code,
    /// A web address that stands in the text as it is. Not cut.
    Url,
}

impl Document {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds a paragraph of lines that are no Markdown.
    pub(crate) fn add_lines(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let start = self.text.len();
        self.text.push_str(&lines.join("\n"));
        self.mark_urls(start);
    }

    /// Brings the stretches of a finished text into the form that the type promises.
    pub(super) fn finished(mut text: String, spans: Vec<Span>) -> Self {
        text.truncate(text.trim_end().len());
        let mut document = Self {
            spans: spans.into_iter().flat_map(|span| by_line(&text, span)).collect(),
            text,
        };
        document.mark_urls(0);
        document
    }

    /// Writes the document in pieces of at most `limit`, where `width` measures what was written.
    pub(super) fn pieces<T>(
        &self,
        limit: usize,
        write: impl Fn(&Self) -> T,
        width: impl Fn(&T) -> usize,
    ) -> Vec<T> {
        let urls: Vec<_> = self
            .spans
            .iter()
            .filter(|span| span.format == Format::Url)
            .map(|span| span.start..span.end)
            .collect();
        // How far the stretches up to each one reach.
        let reaches: Vec<_> = self
            .spans
            .iter()
            .scan(0, |reach, span| {
                *reach = span.end.max(*reach);
                Some(*reach)
            })
            .collect();
        let piece = |range: Range<usize>| {
            let first = reaches.partition_point(|reach| *reach <= range.start);
            write(&self.slice(first, range))
        };
        let ranges = split(&self.text, limit, &urls, |range| width(&piece(range)));
        ranges.into_iter().map(piece).collect()
    }

    /// A part of the document, in which no stretch before the `first` has a share. A stretch that goes over
    /// its ends is cut.
    fn slice(&self, first: usize, range: Range<usize>) -> Self {
        let end = self.spans.partition_point(|span| span.start < range.end);
        let spans = self.spans[first.min(end)..end]
            .iter()
            .filter(|span| span.end > range.start);
        // The rest of an address is none.
        let spans = spans.filter(|span| {
            span.format != Format::Url || (range.start <= span.start && span.end <= range.end)
        });
        Self {
            spans: spans
                .map(|span| Span {
                    start: span.start.max(range.start) - range.start,
                    end: span.end.min(range.end) - range.start,
                    format: span.format.clone(),
                })
                .collect(),
            text: self.text[range].to_owned(),
        }
    }

    /// Marks the web addresses behind `from` that stand in plain text, and puts the stretches in order.
    fn mark_urls(&mut self, from: usize) {
        let mut borders: Vec<_> = self
            .spans
            .iter()
            .flat_map(|span| [span.start, span.end])
            .collect();
        borders.sort_unstable();
        let mut closed: Vec<_> = self
            .spans
            .iter()
            .filter(|span| matches!(span.format, Format::Pre { .. } | Format::Code | Format::Link(_)))
            .map(|span| (span.start, span.end))
            .collect();
        closed.sort_unstable();
        for url in links::addresses(&self.text[from..]) {
            let (start, end) = (from + url.start, from + url.end);
            let next_border = borders[borders.partition_point(|border| *border <= start)..].first();
            let before = closed.partition_point(|(begin, _)| *begin <= start);
            let inside = closed[..before].last().is_some_and(|(_, close)| *close > start);
            if !inside && next_border.is_none_or(|border| *border >= end) {
                let format = Format::Url;
                self.spans.push(Span { start, end, format });
            }
        }
        self.spans
            .sort_by(|a, b| (a.start, Reverse(a.end), &a.format).cmp(&(b.start, Reverse(b.end), &b.format)));
    }
}

/// A stretch line by line, without the whitespace at its ends, where its format asks for that.
fn by_line(text: &str, span: Span) -> Vec<Span> {
    let end = span.end.min(text.len());
    let whole = match span.format {
        Format::Quote | Format::Pre { .. } | Format::Marker => true,
        Format::Heading(_)
        | Format::Bold
        | Format::Italic
        | Format::Strike
        | Format::Link(_)
        | Format::Code
        | Format::Url => false,
    };
    if span.start >= end {
        return Vec::new();
    }
    if whole {
        return vec![Span { end, ..span }];
    }
    let mut spans = Vec::new();
    let mut at = span.start;
    for line in text[span.start..end].split_inclusive('\n') {
        let range = trimmed(text, at..at + line.len());
        at += line.len();
        if !range.is_empty() {
            spans.push(Span {
                start: range.start,
                end: range.end,
                format: span.format.clone(),
            });
        }
    }
    spans
}

/// The range without the whitespace at its ends.
pub(super) fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let text = &text[range.clone()];
    let start = range.start + text.len() - text.trim_start().len();
    start..start.max(range.start + text.trim_end().len())
}
