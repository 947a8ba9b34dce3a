//! Splits a long text where a reader would.
//!
//! Every piece is within the limit and holds more than whitespace; what is lost is whitespace at the cuts. A
//! line behind a cut keeps its indentation, which means something in code and in lists.

use std::ops::Range;

/// Where to cut, best first: between paragraphs, lines, sentences, words.
const SEPARATORS: [&str; 8] = ["\n\n", "\n", ". ", "! ", "? ", "。", "; ", " "];
/// The most bytes that a unit of any limit stands for: a character counts one unit or more.
const MAX_BYTES_OF_A_UNIT: usize = 4;

/// Splits `text` into stretches (in bytes) of at most `limit`, where `width` measures a stretch as it will be
/// sent. Every character must count, and a single one be within the limit. No cut goes through a stretch of
/// `solid` (sorted, apart) unless it is longer than a piece.
pub(crate) fn split(
    text: &str,
    limit: usize,
    solid: &[Range<usize>],
    width: impl Fn(Range<usize>) -> usize,
) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let fits = |end: usize| width(start..start + end) <= limit;
        let rest = &text[start..];
        let end = fitting(rest, limit, fits);
        let cut = if end == rest.len() {
            end
        } else {
            around_solid(solid, start, start + best_cut(rest, end, fits)) - start
        };
        let kept = rest[..cut].trim_end().len();
        if kept > 0 {
            pieces.push(start..start + kept);
        }
        start += cut + passed_over(&rest[cut..]);
    }
    pieces
}

/// How many bytes of `text` are within the limit; never inside a character, never zero.
fn fitting(text: &str, limit: usize, fits: impl Fn(usize) -> bool) -> usize {
    let mut high = text.floor_char_boundary(limit.saturating_mul(MAX_BYTES_OF_A_UNIT));
    if high == text.len() && fits(high) {
        return high;
    }
    let mut low = text.chars().next().map_or(0, char::len_utf8);
    while low < high {
        let middle = text.ceil_char_boundary(low + (high - low).div_ceil(2));
        if fits(middle) {
            low = middle;
        } else {
            high = text.floor_char_boundary(middle - 1);
        }
    }
    low
}

/// Where to cut the first `end` bytes. A separator in the first half is passed over, or a heading would be
/// sent alone while the text behind it is torn.
fn best_cut(text: &str, end: usize, fits: impl Fn(usize) -> bool) -> usize {
    let half = end / 2;
    SEPARATORS
        .into_iter()
        .find_map(|separator| last_cut(text, end, separator).filter(|cut| *cut > half && fits(*cut)))
        .unwrap_or(end)
}

/// The last place at or before `end` behind which nothing but the whitespace of `separator` stands.
fn last_cut(text: &str, end: usize, separator: &str) -> Option<usize> {
    let kept = separator.trim_end().len();
    let reach = text.floor_char_boundary(end + separator.len() - kept);
    text[..reach].rfind(separator).map(|start| start + kept)
}

/// Moves a cut to the beginning of the stretch that it would tear, if the piece begins before that.
fn around_solid(solid: &[Range<usize>], start: usize, cut: usize) -> usize {
    let torn = solid
        .iter()
        .find(|stretch| stretch.start < cut && cut < stretch.end);
    torn.map_or(
        cut,
        |stretch| if stretch.start > start { stretch.start } else { cut },
    )
}

/// How much whitespace at a cut is lost: all of it, but for the indentation of a new line.
fn passed_over(text: &str) -> usize {
    let blank = text.len() - text.trim_start().len();
    match text[..blank].rfind('\n') {
        Some(newline) if blank < text.len() => newline + 1,
        Some(_) | None => blank,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split_by(text: &str, limit: usize, width: fn(&str) -> usize) -> Vec<&str> {
        let pieces = split(text, limit, &[], |range| width(&text[range]));
        pieces.into_iter().map(|range| &text[range]).collect()
    }

    fn pieces(text: &str, limit: usize) -> Vec<&str> {
        split_by(text, limit, |text| text.encode_utf16().count())
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_one_piece() {
        assert_eq!(pieces("12345678", 8), ["12345678"]);
        assert_eq!(pieces("123456789", 8), ["12345678", "9"]);
        assert_eq!(pieces("  \n ", 8), [""; 0]);
        assert_eq!(pieces("  \n ", 2), [""; 0]);
    }

    #[test]
    fn a_better_separator_wins_over_a_later_one() {
        assert_eq!(
            pieces("one two.\n\nthree\nfour five", 15),
            ["one two.", "three\nfour five"]
        );
        assert_eq!(
            pieces("one two three\nfour five", 18),
            ["one two three", "four five"]
        );
        assert_eq!(pieces("One two. Three four", 15), ["One two.", "Three four"]);
        assert_eq!(pieces("one two three", 9), ["one two", "three"]);
    }

    #[test]
    fn a_separator_that_starts_at_the_limit_is_used() {
        assert_eq!(pieces("12345678\n\n90", 8), ["12345678", "90"]);
        assert_eq!(pieces("1234 678 90", 8), ["1234 678", "90"]);
    }

    #[test]
    fn a_separator_near_the_beginning_does_not_waste_a_piece() {
        assert_eq!(pieces("a\n\nb c d e f g h i", 12), ["a\n\nb c d e f", "g h i"]);
    }

    #[test]
    fn a_line_behind_a_cut_keeps_its_indentation() {
        assert_eq!(pieces("if a:\n\n    b()", 10), ["if a:", "    b()"]);
        assert_eq!(pieces("one two   three", 9), ["one two", "three"]);
    }

    #[test]
    fn a_surrogate_pair_is_never_torn() {
        // Each counts two units: four fit into nine.
        assert_eq!(pieces("😀😀😀😀😀", 9), ["😀😀😀😀", "😀"]);
        assert_eq!(split_by("😀😀", 4, str::len), ["😀", "😀"]);
    }

    #[test]
    fn what_is_solid_is_torn_only_when_it_is_longer_than_a_piece() {
        let cuts = |solid: Range<usize>| split("(abcdefgh", 6, &[solid], |range| range.len());
        assert_eq!(cuts(1..7), [0..1, 1..7, 7..9]);
        assert_eq!(cuts(0..9), [0..6, 6..9]);
    }

    fn without_whitespace(text: &str) -> String {
        text.chars()
            .filter(|character| !character.is_whitespace())
            .collect()
    }

    proptest! {
        #[test]
        fn only_whitespace_is_lost_and_every_piece_fits(
            text in r"([a-z😀é。]{0,12}[ \n.!\u{3000}]{0,3}){0,40}", limit in 4_usize..64,
        ) {
            let pieces = pieces(&text, limit);
            for piece in &pieces {
                prop_assert!(!piece.trim().is_empty());
                prop_assert!(piece.encode_utf16().count() <= limit, "{:?}", piece);
            }
            prop_assert_eq!(without_whitespace(&pieces.concat()), without_whitespace(&text));
        }

        #[test]
        fn any_text_is_split_in_bytes_too(text in ".*", limit in 4_usize..32) {
            let pieces = split_by(&text, limit, str::len);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= limit && !piece.is_empty()));
            prop_assert_eq!(without_whitespace(&pieces.concat()), without_whitespace(&text));
        }
    }
}
