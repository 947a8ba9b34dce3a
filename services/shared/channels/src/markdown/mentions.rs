//! Takes the life out of mentions that would call everybody.

use super::ZERO_WIDTH_SPACE;

/// What calls everybody, behind `@` or `<!`; `&` begins a role in Discord (`<@&1>`).
const EVERYBODY: [&str; 4] = ["everyone", "here", "channel", "&"];

/// The text with a zero-width space in each such mention.
pub(super) fn silenced(text: &str) -> String {
    replaced(text, &format!("@{ZERO_WIDTH_SPACE}"))
}

/// The address with each such mention escaped as addresses are.
pub(super) fn silenced_address(address: &str) -> String {
    replaced(address, "%40")
}

fn replaced(text: &str, at_sign: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        let calls = || calls_everybody(&text[index + 1..]);
        match character {
            '@' if calls() => out.push_str(at_sign),
            '!' if text[..index].ends_with('<') && calls() => out.extend(['!', ZERO_WIDTH_SPACE]),
            _ => out.push(character),
        }
    }
    out
}

fn calls_everybody(text: &str) -> bool {
    let begins = |word: &&str| {
        text.get(..word.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    EVERYBODY.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_of_everybody_get_a_zero_width_space_and_others_do_not() {
        for (text, expected) in [
            ("@everyone, @Here!", "@\u{200B}everyone, @\u{200B}Here!"),
            ("<!channel> <!here|x>", "<!\u{200B}channel> <!\u{200B}here|x>"),
            ("<@&123>", "<@\u{200B}&123>"),
            (
                "ada@example.test @ada <@U1> <!DOCTYPE>",
                "ada@example.test @ada <@U1> <!DOCTYPE>",
            ),
            ("@", "@"),
        ] {
            assert_eq!(silenced(text), expected);
        }
        assert_eq!(silenced_address("https://a.test/@here"), "https://a.test/%40here");
    }
}
