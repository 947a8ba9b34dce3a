//! A table as lines of code: no chat shows one, but letters of one width can be aligned.

use pulldown_cmark::Alignment;

/// The widest column that is filled with spaces, in characters. A wider cell moves what follows it.
const MAX_COLUMN_CHARS: usize = 40;

/// The lines of a table, of which the first row is the head.
pub(super) fn aligned(rows: &[Vec<String>], alignments: &[Alignment]) -> String {
    let widths = widths(rows);
    let mut lines: Vec<_> = rows.iter().map(|row| line(row, &widths, alignments)).collect();
    let dashes: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
    lines.insert(lines.len().min(1), dashes.join("-+-"));
    lines.join("\n")
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count().min(MAX_COLUMN_CHARS));
        }
    }
    widths
}

fn line(row: &[String], widths: &[usize], alignments: &[Alignment]) -> String {
    // The parser fills short rows up; empty cells at the end need no space.
    let filled = row
        .iter()
        .rposition(|cell| !cell.is_empty())
        .map_or(0, |last| last + 1);
    let columns = widths.iter().zip(alignments);
    let cells: Vec<_> = row[..filled]
        .iter()
        .zip(columns)
        .map(|(cell, (width, alignment))| match alignment {
            Alignment::None | Alignment::Left => format!("{cell:<width$}"),
            Alignment::Center => format!("{cell:^width$}"),
            Alignment::Right => format!("{cell:>width$}"),
        })
        .collect();
    cells.join(" | ").trim_end().to_owned()
}
