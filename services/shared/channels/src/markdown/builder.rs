//! Writes the text of a document while it is read, and remembers its stretches.
//!
//! Newlines are written when the next text comes, so that blocks need not know what follows them, and with
//! the indentation of the list that the text stands in.

use pulldown_cmark::Alignment;

use super::document::{Document, Format, Span};
use super::{links, table};

/// The deepest indentation, in spaces. Beyond it lists in lists are only told by their order.
const MAX_INDENT: usize = 24;

#[derive(Default)]
pub(super) struct Builder {
    text: String,
    spans: Vec<Span>,
    /// What the text stands in, the innermost last.
    containers: Vec<Container>,
    /// The formats that are open, with where they began.
    open: Vec<(usize, Format)>,
    /// How many newlines go before the next text.
    gap: usize,
    table: Option<Table>,
}

enum Container {
    /// A quotation that began there.
    Quote(usize),
    /// A list, with the number of its next item if it has numbers.
    List(Option<u64>),
    /// An item whose later lines are indented by so many spaces.
    Item(usize),
}

struct Table {
    alignments: Vec<Alignment>,
    rows: Vec<Vec<String>>,
    /// How long the text was, and how many spans there were, before the cell that is read.
    before_cell: (usize, usize),
}

impl Builder {
    pub(super) fn finish(self) -> Document {
        Document::finished(self.text, self.spans)
    }

    /// Adds text. Newlines are for blocks of code.
    pub(super) fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.settle(self.indent());
            self.text.push_str(text);
        }
    }

    /// Adds text with its newlines.
    pub(super) fn lines(&mut self, text: &str) {
        for (index, line) in text.split('\n').enumerate() {
            self.gap += usize::from(index > 0);
            self.text(line.trim_end_matches('\r'));
        }
    }

    /// The next text stands at least so many lines further down.
    pub(super) fn break_lines(&mut self, count: usize) {
        self.gap = self.gap.max(count);
    }

    pub(super) fn open(&mut self, format: Format) {
        self.settle(self.indent());
        self.open.push((self.text.len(), format));
    }

    /// Ends the format that was opened last. What is bold in a heading, or in what is bold, is so already.
    pub(super) fn close(&mut self) {
        let Some((start, format)) = self.open.pop() else {
            return;
        };
        let is_so_already = self.open.iter().any(|(_, outer)| {
            *outer == format || (matches!(outer, Format::Heading(_)) && format == Format::Bold)
        });
        if !is_so_already {
            self.mark(start, format);
        }
    }

    pub(super) fn code(&mut self, code: &str) {
        self.settle(self.indent());
        let start = self.text.len();
        self.text(code);
        self.mark(start, Format::Code);
    }

    /// Lines of code begin at the left edge, also in a list.
    pub(super) fn open_code_block(&mut self, language: Option<String>) {
        self.break_lines(1);
        self.settle(0);
        self.open.push((self.text.len(), Format::Pre { language }));
    }

    pub(super) fn close_code_block(&mut self) {
        if let Some((start, format)) = self.open.pop() {
            if self.text[start..].ends_with('\n') {
                self.text.pop();
            }
            if !self.text[start..].trim().is_empty() {
                self.mark(start, format);
            }
        }
        self.break_lines(2);
    }

    /// A quotation in a quotation is part of it: Telegram and Slack know no deeper ones.
    pub(super) fn open_quote(&mut self) {
        self.break_lines(1);
        self.settle(0);
        self.containers.push(Container::Quote(self.text.len()));
    }

    pub(super) fn close_quote(&mut self) {
        let start = match self.containers.pop() {
            Some(Container::Quote(start)) => start,
            Some(Container::List(_) | Container::Item(_)) | None => return,
        };
        let in_quote = self
            .containers
            .iter()
            .any(|outer| matches!(outer, Container::Quote(_)));
        if !in_quote {
            self.mark(start, Format::Quote);
        }
        self.break_lines(2);
    }

    pub(super) fn open_list(&mut self, first: Option<u64>) {
        if self.is_in_item() {
            self.break_lines(1);
        }
        self.containers.push(Container::List(first));
    }

    pub(super) fn close_list(&mut self) {
        self.containers.pop();
        self.break_lines(if self.is_in_item() { 1 } else { 2 });
    }

    pub(super) fn open_item(&mut self) {
        let marker = match self.containers.last_mut() {
            Some(Container::List(Some(number))) => {
                let marker = format!("{number}. ");
                *number = number.saturating_add(1);
                marker
            }
            Some(Container::List(None) | Container::Quote(_) | Container::Item(_)) | None => "• ".to_owned(),
        };
        self.settle(self.indent());
        let start = self.text.len();
        self.text.push_str(&marker);
        self.mark(start, Format::Marker);
        self.containers.push(Container::Item(marker.chars().count()));
    }

    pub(super) fn close_item(&mut self) {
        self.containers.pop();
        self.break_lines(1);
    }

    /// Ends a link that was opened as [`Format::Link`]. Where a word cannot lead to an address, because the
    /// address is none of the web, because the word claims to be another address or because it stands in a
    /// table, the address stands behind it.
    pub(super) fn close_link(&mut self) {
        let Some((start, Format::Link(address))) = self.open.pop() else {
            return;
        };
        let shown = address.strip_prefix("mailto:").unwrap_or(&address);
        let label = self.text[start..].trim();
        if label.is_empty() {
            self.text(shown);
        } else if label != shown {
            match links::target(&address) {
                Some(target) if self.table.is_none() && !label.contains("://") => {
                    self.mark(start, Format::Link(target));
                }
                target if target.is_some() && target == links::target(label) => {}
                Some(_) | None if shown.is_empty() => {}
                Some(_) | None => self.text(&format!(" ({shown})")),
            }
        }
    }

    /// Ends a picture that was opened as [`Format::Link`]: its description stands there, and its address
    /// behind it, unless all of it leads elsewhere.
    pub(super) fn close_image(&mut self) {
        let Some((start, Format::Link(address))) = self.open.pop() else {
            return;
        };
        if self.text[start..].trim().is_empty() {
            self.text(&address);
        } else if !self
            .open
            .iter()
            .any(|(_, outer)| matches!(outer, Format::Link(_)))
        {
            self.text(&format!(" ({address})"));
        }
    }

    pub(super) fn open_table(&mut self, alignments: Vec<Alignment>) {
        self.table = Some(Table {
            alignments,
            rows: Vec::new(),
            before_cell: (0, 0),
        });
        self.open_code_block(None);
    }

    pub(super) fn open_row(&mut self) {
        if let Some(table) = &mut self.table {
            table.rows.push(Vec::new());
        }
    }

    pub(super) fn open_cell(&mut self) {
        if let Some(table) = &mut self.table {
            table.before_cell = (self.text.len(), self.spans.len());
        }
    }

    /// A cell's text is kept for the table; what was bold in it is not.
    pub(super) fn close_cell(&mut self) {
        if let Some(table) = &mut self.table {
            let (text, spans) = table.before_cell;
            let cell = self.text.split_off(text);
            self.spans.truncate(spans);
            if let Some(row) = table.rows.last_mut() {
                row.push(cell.trim().to_owned());
            }
        }
    }

    pub(super) fn close_table(&mut self) {
        if let Some(table) = self.table.take() {
            self.text(&table::aligned(&table.rows, &table.alignments));
        }
        self.close_code_block();
    }

    fn mark(&mut self, start: usize, format: Format) {
        let end = self.text.len();
        if start < end {
            self.spans.push(Span { start, end, format });
        }
    }

    fn settle(&mut self, indent: usize) {
        if self.gap > 0 && !self.text.is_empty() {
            self.text.extend(std::iter::repeat_n('\n', self.gap));
            self.text.extend(std::iter::repeat_n(' ', indent));
        }
        self.gap = 0;
    }

    /// How far a line is moved in by the lists around it, within the innermost quotation.
    fn indent(&self) -> usize {
        let mut indent = 0;
        for container in self.containers.iter().rev() {
            match container {
                Container::Quote(_) => break,
                Container::List(_) => {}
                Container::Item(spaces) => indent += spaces,
            }
            if indent >= MAX_INDENT {
                return MAX_INDENT;
            }
        }
        indent
    }

    fn is_in_item(&self) -> bool {
        matches!(self.containers.last(), Some(Container::Item(_)))
    }
}
