//! Web addresses: which may be linked, and where they stand in plain text.

use std::ops::Range;

use url::Url;

/// The widest address that is linked, in the units of any dialect after its escapes. A wider one is plain
/// text, which can be cut; this one fits into half of a message everywhere.
const MAX_WIDTH: usize = 1000;
/// The units that a dialect may need for a character that has a meaning in it (`&amp;`).
const ESCAPED_WIDTH: usize = 5;
/// What belongs to the sentence, not to the address before it.
const CLOSING: &str = ".,:;!?'*_~";
const SCHEMES: [&str; 2] = ["https://", "http://"];

/// The address in its regular form, if a channel can link it: a web address, and not too wide.
pub(super) fn target(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-./:?=#%+,;$_".contains(*c);
    let width = |text: &str| -> usize {
        text.chars()
            .map(|c| if plain(&c) { 1 } else { ESCAPED_WIDTH })
            .sum()
    };
    let fits = width(url.as_str()) <= MAX_WIDTH && width(address) <= MAX_WIDTH;
    (matches!(url.scheme(), "http" | "https") && fits).then(|| url.into())
}

/// Where web addresses stand in a text.
pub(super) fn addresses(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("http").map(|start| at + start) {
        let end = start + end_of_address(&text[start..]);
        let in_word = text[..start]
            .chars()
            .next_back()
            .is_some_and(|c| c.is_ascii_alphanumeric());
        if !in_word && is_address(&text[start..end]) {
            found.push(start..end);
            at = end;
        } else {
            at = start + "http".len();
        }
    }
    found
}

fn is_address(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme)) && target(text).is_some()
}

/// The length of what may be an address at the beginning of a text. A bracket that closes belongs to it only
/// if its partner does, as in `https://en.wikipedia.org/wiki/A_(b)`.
fn end_of_address(text: &str) -> usize {
    // Beyond this it is not linked anyway.
    let reach = &text[..text.floor_char_boundary(MAX_WIDTH + 1)];
    let mut open = 0;
    let ends = |c: char| match c {
        '(' | '[' => {
            open += 1;
            false
        }
        ')' | ']' if open > 0 => {
            open -= 1;
            false
        }
        ')' | ']' | '<' | '>' | '"' | '`' | '|' | '\\' | '^' | '{' | '}' => true,
        _ => !(c.is_alphanumeric() || c.is_ascii_punctuation()),
    };
    let address = &reach[..reach.find(ends).unwrap_or(reach.len())];
    address.trim_end_matches(|c| CLOSING.contains(c)).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_before_the_punctuation_of_its_sentence() {
        let found = |text: &'static str| -> Vec<&str> {
            addresses(text).into_iter().map(|range| &text[range]).collect()
        };
        assert_eq!(found("See https://a.test/b_c."), ["https://a.test/b_c"]);
        assert_eq!(found("(https://a.test/A_(b))"), ["https://a.test/A_(b)"]);
        assert_eq!(
            found("http://a.test, https://b.test!"),
            ["http://a.test", "https://b.test"]
        );
        assert_eq!(found("看https://a.test。"), ["https://a.test"]);
        assert_eq!(found("http https:// xhttps://a.test ftp://a.test"), [""; 0]);
        assert_eq!(found("<https://a.test/x>"), ["https://a.test/x"]);
    }

    #[test]
    fn only_web_addresses_of_a_sane_length_are_targets() {
        assert_eq!(target("https://a.test").as_deref(), Some("https://a.test/"));
        assert_eq!(
            target("https://a.test/a b|c").as_deref(),
            Some("https://a.test/a%20b|c")
        );
        for none in [
            "javascript:alert(1)",
            "mailto:a@b.test",
            "./readme",
            "#part",
            "https://",
        ] {
            assert_eq!(target(none), None, "{none}");
        }
        let long = |length: usize| format!("https://a.test/{}", "x".repeat(length - 15));
        assert!(target(&long(MAX_WIDTH)).is_some());
        assert!(target(&long(MAX_WIDTH + 1)).is_none());
        assert!(
            target(&format!(
                "https://a.test/{}",
                "&".repeat(MAX_WIDTH / ESCAPED_WIDTH)
            ))
            .is_none()
        );
    }
}
