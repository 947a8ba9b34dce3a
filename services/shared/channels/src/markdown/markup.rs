//! What the dialects have in common that write formats as signs within the text.

use super::ZERO_WIDTH_SPACE;
use super::document::{Document, Format};
use super::mentions;

/// What stands before each line of a quotation.
const QUOTE: &str = "> ";
/// The end of a line in it.
const QUOTED_NEWLINE: &str = "\n> ";

/// The signs of a dialect.
pub(super) struct Dialect {
    /// Writes a character that is no sign, between its neighbours.
    pub(super) literal: fn(&mut String, Literal),
    /// What stands for a format, and around or instead of which text.
    pub(super) signs: fn(&Format, &str) -> Signs,
    /// Whether a sign must not touch a letter outside of what it formats.
    pub(super) needs_room: bool,
}

/// A character of plain text.
#[derive(Clone, Copy)]
pub(super) struct Literal {
    pub(super) character: char,
    /// What stands before and behind it; none at an end of the text.
    pub(super) before: Option<char>,
    pub(super) after: Option<char>,
    /// Whether nothing but spaces and signs for lists stand before it in its line.
    pub(super) begins_line: bool,
}

/// How a format is written.
pub(super) enum Signs {
    /// As a quotation: a sign before each line.
    BeforeLines,
    /// As signs before and behind the text.
    Around(String, String),
    /// As this, text and all.
    Instead(String),
    /// As this, and a line may begin behind it.
    BeforeLine(String),
}

/// What was written last.
#[derive(PartialEq)]
enum Last {
    Text,
    Opening,
    Closing,
}

struct Writer<'a> {
    dialect: &'a Dialect,
    text: &'a str,
    out: String,
    last: Last,
    begins_line: bool,
    in_quote: bool,
}

/// Writes a document in a dialect.
pub(super) fn write(document: &Document, dialect: &Dialect) -> String {
    let mut writer = Writer {
        dialect,
        text: &document.text,
        out: String::with_capacity(document.text.len() * 2),
        last: Last::Text,
        begins_line: true,
        in_quote: false,
    };
    // Where what is open ends, and with which sign; none ends a quotation.
    let mut open: Vec<(usize, Option<String>)> = Vec::new();
    let mut at = 0;
    for span in &document.spans {
        // Within something that is written as a whole.
        if span.start < at {
            continue;
        }
        while let Some((end, behind)) = open.pop_if(|(end, _)| *end <= span.start) {
            writer.literals(at, end);
            at = end;
            writer.close(behind);
        }
        writer.literals(at, span.start);
        at = span.start;
        match (dialect.signs)(&span.format, &document.text[span.start..span.end]) {
            Signs::BeforeLines => {
                writer.open_quote();
                open.push((span.end, None));
            }
            Signs::Around(before, behind) => {
                writer.open(&before);
                open.push((span.end, Some(behind)));
            }
            Signs::Instead(written) => {
                writer.whole(&written);
                at = span.end;
            }
            Signs::BeforeLine(written) => {
                writer.out.push_str(&written);
                writer.begins_line = true;
                at = span.end;
            }
        }
    }
    while let Some((end, behind)) = open.pop() {
        writer.literals(at, end);
        at = end;
        writer.close(behind);
    }
    writer.literals(at, document.text.len());
    mentions::silenced(&writer.out)
}

impl Writer<'_> {
    /// Quotations begin and end with lines.
    fn open_quote(&mut self) {
        self.out.push_str(QUOTE);
        self.in_quote = true;
        self.begins_line = true;
    }

    fn open(&mut self, before: &str) {
        self.keep_apart();
        self.out.push_str(before);
        self.last = Last::Opening;
        self.begins_line = false;
    }

    fn close(&mut self, behind: Option<String>) {
        match behind {
            Some(behind) => {
                self.out.push_str(&behind);
                self.last = Last::Closing;
            }
            None => self.in_quote = false,
        }
    }

    fn whole(&mut self, written: &str) {
        self.keep_apart();
        if self.in_quote {
            self.out.push_str(&written.replace('\n', QUOTED_NEWLINE));
        } else {
            self.out.push_str(written);
        }
        self.last = Last::Closing;
        self.begins_line = false;
    }

    /// A sign right behind another, or behind a letter, would be read as something else.
    fn keep_apart(&mut self) {
        let touches = match self.last {
            Last::Opening => false,
            Last::Closing => true,
            Last::Text => self.dialect.needs_room && self.out.ends_with(char::is_alphanumeric),
        };
        if touches {
            self.out.push(ZERO_WIDTH_SPACE);
        }
    }

    fn literals(&mut self, start: usize, end: usize) {
        let mut before = self.text[..start].chars().next_back();
        for (index, character) in self.text[start..end].char_indices() {
            let behind = start + index + character.len_utf8();
            if character == '\n' {
                self.out
                    .push_str(if self.in_quote { QUOTED_NEWLINE } else { "\n" });
                self.begins_line = true;
            } else {
                if self.last == Last::Closing && self.dialect.needs_room && character.is_alphanumeric() {
                    self.out.push(ZERO_WIDTH_SPACE);
                }
                let literal = Literal {
                    character,
                    before,
                    after: self.text[behind..].chars().next(),
                    begins_line: self.begins_line,
                };
                (self.dialect.literal)(&mut self.out, literal);
                self.begins_line &= character == ' ';
            }
            self.last = Last::Text;
            before = Some(character);
        }
    }
}

/// Text in which no backtick stands beside another, so that it cannot end the code that it stands in.
pub(super) fn parted_backticks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '`' && out.ends_with('`') {
            out.push(ZERO_WIDTH_SPACE);
        }
        out.push(character);
    }
    out
}

/// The lines between two fences of three backticks, which they must not hold.
pub(super) fn fenced(language: &str, code: &str) -> String {
    if code.contains("```") {
        format!("```{language}\n{}\n```", parted_backticks(code))
    } else {
        format!("```{language}\n{code}\n```")
    }
}
