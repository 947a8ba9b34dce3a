//! File names from outside.

/// The longest name we keep: within what every file system and platform takes.
pub const MAX_NAME_CHARS: usize = 128;

/// The longest ending that a cut name keeps, as `.tar.gz` or `.geojson`.
const MAX_ENDING_CHARS: usize = 16;

/// Makes a harmless file name: the last part of a path, without control characters, marks that turn the
/// direction of writing, or leading dots; at most [`MAX_NAME_CHARS`]; `file` when nothing is left.
pub fn sanitise_name(name: &str) -> String {
    let last = name
        .rsplit(['/', '\\'])
        .find(|part| !part.trim().is_empty())
        .unwrap_or_default();
    let plain: String = last.chars().filter(|character| !is_hidden(*character)).collect();
    let short = shorten(plain.trim_matches(is_margin).trim_start_matches(is_margin_or_dot));
    let short = short.trim_matches(is_margin);
    if short.is_empty() {
        "file".to_owned()
    } else {
        short.to_owned()
    }
}

fn is_margin(character: char) -> bool {
    character.is_whitespace()
}

fn is_margin_or_dot(character: char) -> bool {
    character == '.' || character.is_whitespace()
}

/// Control characters, and marks by which `gpj.exe` is shown as `exe.jpg`.
fn is_hidden(character: char) -> bool {
    let mark = matches!(
        character,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    mark || character.is_control()
}

fn shorten(name: &str) -> String {
    let count = name.chars().count();
    if count <= MAX_NAME_CHARS {
        return name.to_owned();
    }
    let ending = name.rfind('.').map(|dot| &name[dot..]).unwrap_or_default();
    let ending = if ending.chars().count() <= MAX_ENDING_CHARS {
        ending
    } else {
        ""
    };
    let stem: String = name
        .chars()
        .take(MAX_NAME_CHARS - ending.chars().count())
        .collect();
    stem + ending
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_loses_what_could_do_harm() {
        for (given, kept) in [
            ("report.pdf", "report.pdf"),
            ("Grüße 😀.txt", "Grüße 😀.txt"),
            ("../../etc/passwd", "passwd"),
            ("C:\\temp\\a.txt", "a.txt"),
            ("folder/", "folder"),
            (".bashrc", "bashrc"),
            ("..", "file"),
            (" . x", "x"),
            ("a\r\nX-Evil: 1\0.txt", "aX-Evil: 1.txt"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("", "file"),
            ("/ /", "file"),
        ] {
            assert_eq!(sanitise_name(given), kept, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_ending() {
        let name = sanitise_name(&format!("{}.pdf", "x".repeat(500)));
        assert_eq!(name.chars().count(), MAX_NAME_CHARS);
        assert!(name.ends_with("x.pdf"));
        assert_eq!(
            sanitise_name(&"é".repeat(MAX_NAME_CHARS)).chars().count(),
            MAX_NAME_CHARS
        );
        assert_eq!(
            sanitise_name(&"é".repeat(MAX_NAME_CHARS + 1)).chars().count(),
            MAX_NAME_CHARS
        );
    }

    proptest! {
        #[test]
        fn a_sanitised_name_stays_as_it_is(name in r"[a-z./\\ \u{202e}\n]{0,200}|\PC*") {
            let once = sanitise_name(&name);
            prop_assert!(!once.is_empty() && !once.starts_with('.') && !once.contains(['/', '\\', '\n']));
            prop_assert!(once.chars().count() <= MAX_NAME_CHARS);
            prop_assert_eq!(sanitise_name(&once), once);
        }
    }
}
