//! Splits a long text where a reader would.
//!
//! Every piece is within the limit and holds more than whitespace; what is lost is whitespace at the cuts.

/// Where to cut, best first: between paragraphs, lines, sentences, words.
const SEPARATORS: [&str; 8] = ["\n\n", "\n", ". ", "! ", "? ", "。", "; ", " "];

/// Splits `text` into pieces of at most `limit`, where `width` measures a character. `limit` must be at least
/// 4, the width of the widest character.
pub(crate) fn split(text: &str, limit: usize, width: fn(char) -> usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = fitting(rest, limit, width);
        let cut = if end == rest.len() {
            end
        } else {
            best_cut(rest, end)
        };
        pieces.push(rest[..cut].trim_end());
        rest = rest[cut..].trim_start();
    }
    pieces
}

/// How many bytes of `text` are within the limit; never inside a character, never zero.
fn fitting(text: &str, limit: usize, width: fn(char) -> usize) -> usize {
    let mut used = 0;
    for (index, character) in text.char_indices() {
        used += width(character);
        if used > limit {
            return index.max(text.chars().next().map_or(0, char::len_utf8));
        }
    }
    text.len()
}

/// Where to cut the first `end` bytes. A separator in the first half is passed over, or a heading would be
/// sent alone while the text behind it is torn.
fn best_cut(text: &str, end: usize) -> usize {
    let half = end / 2;
    SEPARATORS
        .into_iter()
        .find_map(|separator| last_cut(text, end, separator).filter(|cut| *cut > half))
        .unwrap_or(end)
}

/// The last place at or before `end` behind which nothing but the whitespace of `separator` stands.
fn last_cut(text: &str, end: usize, separator: &str) -> Option<usize> {
    let kept = separator.trim_end().len();
    let mut reach = (end + separator.len() - kept).min(text.len());
    while !text.is_char_boundary(reach) {
        reach -= 1;
    }
    text[..reach].rfind(separator).map(|start| start + kept)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(text: &str, limit: usize) -> Vec<&str> {
        split(text, limit, char::len_utf16)
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_one_piece() {
        assert_eq!(pieces("12345678", 8), ["12345678"]);
        assert_eq!(pieces("123456789", 8), ["12345678", "9"]);
        assert_eq!(pieces("  \n ", 8), [""; 0]);
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
    fn a_surrogate_pair_is_never_torn() {
        // Each counts two units: four fit into nine.
        assert_eq!(pieces("😀😀😀😀😀", 9), ["😀😀😀😀", "😀"]);
        assert_eq!(split("😀😀", 4, char::len_utf8), ["😀", "😀"]);
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
            let pieces = split(&text, limit, char::len_utf8);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= limit && !piece.is_empty()));
            prop_assert_eq!(without_whitespace(&pieces.concat()), without_whitespace(&text));
        }
    }
}
