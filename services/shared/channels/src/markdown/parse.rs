//! Reads Markdown into a document.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::builder::Builder;
use super::document::{Document, Format};

/// The line that stands for a change of subject.
const RULE: &str = "──────────";
/// The longest name of a language, in bytes.
const MAX_LANGUAGE_BYTES: usize = 32;

/// Reads a reply. Every text is Markdown; what is no markup in it stays as it is.
pub(crate) fn parse(markdown: &str) -> Document {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut parser = Parser::new_ext(markdown, options).into_offset_iter();
    let events: Vec<_> = parser.by_ref().collect();
    let definitions = parser.reference_definitions();
    let mut used: Vec<_> = events
        .iter()
        .filter_map(|(event, _)| definitions.get(reference(event)?))
        .map(|definition| definition.span.clone())
        .collect();
    used.sort_by_key(|span| span.start);
    used.dedup();

    let mut builder = Builder::default();
    let (mut depth, mut read) = (0_usize, 0);
    for (event, range) in events {
        if depth == 0 {
            swallowed(&mut builder, markdown, read..range.start.max(read), &used);
            read = range.end.max(read);
        }
        match event {
            Event::Start(tag) => {
                depth += 1;
                start(&mut builder, tag);
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                end(&mut builder, tag);
            }
            Event::Text(text) => builder.text(&text),
            Event::Code(code) | Event::InlineMath(code) | Event::DisplayMath(code) => builder.code(&code),
            Event::Html(html) | Event::InlineHtml(html) => builder.lines(&html),
            Event::FootnoteReference(label) => builder.text(&format!("[^{label}]")),
            // A line that a model ends is meant to end in a chat.
            Event::SoftBreak | Event::HardBreak => builder.break_lines(1),
            Event::Rule => {
                builder.text(RULE);
                builder.break_lines(2);
            }
            Event::TaskListMarker(done) => builder.text(if done { "[x] " } else { "[ ] " }),
        }
    }
    swallowed(&mut builder, markdown, read..markdown.len(), &used);
    let mut document = builder.finish();
    if document.is_empty() {
        // Nothing but markup, as a lone `>`, is meant as it stands there.
        document.add_lines(&[markdown.trim().to_owned()]);
    }
    document
}

/// The label by which a link or picture refers to its address.
fn reference<'a>(event: &'a Event<'_>) -> Option<&'a str> {
    let Event::Start(Tag::Link { id, .. } | Tag::Image { id, .. }) = event else {
        return None;
    };
    (!id.is_empty()).then_some(id)
}

/// What looks like the definition of a link that nobody refers to (`[WARN]: disk`) is no part of any block.
/// It was meant to be read.
fn swallowed(builder: &mut Builder, markdown: &str, between: Range<usize>, used: &[Range<usize>]) {
    let mut at = between.start;
    let first = used.partition_point(|span| span.start < between.start);
    for span in used[first..].iter().take_while(|span| span.end <= between.end) {
        paragraph(builder, &markdown[at..span.start.max(at)]);
        at = span.end;
    }
    paragraph(builder, &markdown[at..between.end]);
}

fn paragraph(builder: &mut Builder, text: &str) {
    if !text.trim().is_empty() {
        builder.lines(text.trim());
        builder.break_lines(2);
    }
}

fn start(builder: &mut Builder, tag: Tag<'_>) {
    match tag {
        Tag::Heading { level, .. } => builder.open(Format::Heading(level as u8)),
        Tag::BlockQuote(_) => builder.open_quote(),
        Tag::CodeBlock(kind) => builder.open_code_block(language(&kind)),
        Tag::List(first) => builder.open_list(first),
        Tag::Item => builder.open_item(),
        Tag::Table(alignments) => builder.open_table(alignments),
        Tag::TableHead | Tag::TableRow => builder.open_row(),
        Tag::TableCell => builder.open_cell(),
        Tag::Emphasis => builder.open(Format::Italic),
        Tag::Strong => builder.open(Format::Bold),
        Tag::Strikethrough => builder.open(Format::Strike),
        Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
            builder.open(Format::Link(dest_url.into_string()));
        }
        Tag::Paragraph
        | Tag::HtmlBlock
        | Tag::FootnoteDefinition(_)
        | Tag::DefinitionList
        | Tag::DefinitionListTitle
        | Tag::DefinitionListDefinition
        | Tag::Superscript
        | Tag::Subscript
        | Tag::MetadataBlock(_) => {}
    }
}

fn end(builder: &mut Builder, tag: TagEnd) {
    match tag {
        TagEnd::Heading(_) => {
            builder.close();
            builder.break_lines(2);
        }
        TagEnd::BlockQuote(_) => builder.close_quote(),
        TagEnd::CodeBlock => builder.close_code_block(),
        TagEnd::List(_) => builder.close_list(),
        TagEnd::Item => builder.close_item(),
        TagEnd::Table => builder.close_table(),
        TagEnd::TableCell => builder.close_cell(),
        TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => builder.close(),
        TagEnd::Link => builder.close_link(),
        TagEnd::Image => builder.close_image(),
        TagEnd::Paragraph
        | TagEnd::HtmlBlock
        | TagEnd::FootnoteDefinition
        | TagEnd::DefinitionList
        | TagEnd::DefinitionListTitle
        | TagEnd::DefinitionListDefinition
        | TagEnd::MetadataBlock(_) => builder.break_lines(2),
        TagEnd::TableHead | TagEnd::TableRow | TagEnd::Superscript | TagEnd::Subscript => {}
    }
}

/// The first word behind a fence, if it can be the name of a language.
fn language(kind: &CodeBlockKind<'_>) -> Option<String> {
    let CodeBlockKind::Fenced(info) = kind else {
        return None;
    };
    let word = info.split_whitespace().next()?;
    let is_name = word.len() <= MAX_LANGUAGE_BYTES
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-#._".contains(c));
    is_name.then(|| word.to_owned())
}
