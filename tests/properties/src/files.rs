//! What strangers say of their files.

use channels::{MAX_NAME_CHARS, is_stray_page, sanitise_name, sniffed_type};

/// `name` as the name of a file.
pub fn file_name(name: &[u8]) {
    let name = sanitise_name(&String::from_utf8_lossy(name));
    assert!(is_sane_name(&name), "{name:?}");
    assert_eq!(
        sanitise_name(&name),
        name,
        "a name that is harmless stays as it is"
    );
}

/// The first line as what a sender claims, the rest as the bytes of the file.
pub fn file_type(input: &[u8]) {
    let (claim, bytes) = split_line(input);
    // As all claims that reach it: a media type, or none.
    let claim = std::str::from_utf8(claim)
        .ok()
        .filter(|claim| is_sane_type(claim));
    let found = sniffed_type(bytes, claim);
    assert!(is_sane_type(&found), "{found:?}");
    assert_eq!(
        sniffed_type(bytes, Some(&found)),
        found,
        "what was found is found again"
    );
    assert!(!is_stray_page(&found, "page.html", claim), "a page was meant");
}

/// Whether a name may be shown and written to a disk.
pub(crate) fn is_sane_name(name: &str) -> bool {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    (1..=MAX_NAME_CHARS).contains(&name.chars().count())
        && !name.starts_with('.')
        && name.trim() == name
        && !name.contains(is_harmful)
}

/// Whether a text may stand in a header as a media type.
pub(crate) fn is_sane_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

/// The first line, and what follows it.
pub(crate) fn split_line(input: &[u8]) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[]),
    }
}
