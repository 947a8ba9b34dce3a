//! Discord's dialect (`channels.md`, section 4.5.3): nearly CommonMark, without tables and pictures.

use super::document::{Document, Format};
use super::markup::{Dialect, Literal, Signs, fenced, parted_backticks, write};
use super::{mentions, utf16_len};

/// The longest text, counted after the escapes; in UTF-16 it is never too many.
const MAX_TEXT_UNITS: usize = 2000;
/// The lowest level of headings; what is below is bold.
const LOWEST_HEADING: u8 = 3;

const MARKDOWN: Dialect = Dialect {
    literal,
    signs,
    needs_room: false,
};

/// The pieces in which a document is sent.
pub(crate) fn pieces(document: &Document) -> Vec<String> {
    document.pieces(
        MAX_TEXT_UNITS,
        |piece| write(piece, &MARKDOWN),
        |text| utf16_len(text),
    )
}

fn signs(format: &Format, text: &str) -> Signs {
    let around = |sign: &str| Signs::Around(sign.to_owned(), sign.to_owned());
    match format {
        Format::Heading(level @ ..=LOWEST_HEADING) => {
            Signs::Around(format!("{} ", "#".repeat(usize::from(*level))), String::new())
        }
        Format::Heading(_) | Format::Bold => around("**"),
        Format::Italic => around("*"),
        Format::Strike => around("~~"),
        Format::Marker => Signs::BeforeLine(text.replace('•', "-")),
        Format::Code => Signs::Instead(code(text)),
        Format::Pre { language } => Signs::Instead(fenced(language.as_deref().unwrap_or_default(), text)),
        Format::Link(url) => Signs::Around("[".to_owned(), format!("]({})", address(url))),
        Format::Url => Signs::Instead(address(text)),
        Format::Quote => Signs::BeforeLines,
    }
}

fn literal(out: &mut String, literal: Literal) {
    let is_sign = match literal.character {
        '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '[' | ']' => true,
        '#' | '-' | '>' => literal.begins_line,
        _ => false,
    };
    if is_sign {
        out.push('\\');
    }
    out.push(literal.character);
}

/// Code that holds a backtick stands between two. A space keeps its own from those at its ends; Discord
/// does not show it.
fn code(text: &str) -> String {
    if !text.contains('`') {
        return format!("`{text}`");
    }
    let space = |touches: bool| if touches { " " } else { "" };
    let (before, behind) = (space(text.starts_with('`')), space(text.ends_with('`')));
    format!("``{before}{}{behind}``", parted_backticks(text))
}

/// An address with the signs escaped that would end it, or begin a format.
fn address(url: &str) -> String {
    let mut out = String::new();
    for character in mentions::silenced_address(url).chars() {
        match character {
            '(' => out.push_str("%28"),
            ')' => out.push_str("%29"),
            '*' => out.push_str("%2A"),
            '~' => out.push_str("%7E"),
            '|' => out.push_str("%7C"),
            '`' => out.push_str("%60"),
            other => out.push(other),
        }
    }
    out
}
