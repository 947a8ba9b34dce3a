//! Words of commands that people paste into a shell. What an operator has configured stays one word there, whatever it
//! holds.

use registry::SecretRef;

/// A text as one word.
pub(super) fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A secret as a part of a word: where it lies, read by the shell, never its value.
pub(super) fn secret(reference: &SecretRef) -> String {
    let reference = reference.to_string();
    match reference.split_once(':') {
        Some(("env", name)) if is_variable(name) => format!("\"${{{name}}}\""),
        Some(("env", name)) => format!("\"$(printenv {})\"", word(name)),
        Some((_, path)) => format!("\"$(cat -- {})\"", word(path)),
        None => word(&reference),
    }
}

fn is_variable(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_letter)
        && name.bytes().all(|byte| is_letter(byte) || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const ODD: [&str; 8] = [
        "a b",
        "'",
        "$(exit 3)",
        "`id`",
        "\"",
        "a'b\"c",
        "!!",
        "a;b&c|d>e#f*g?h~i",
    ];

    fn said(words: &str) -> String {
        let shell = Command::new("sh")
            .arg("-c")
            .arg(format!("printf %s {words}"))
            .output()
            .unwrap();
        assert!(shell.status.success(), "{words}");
        String::from_utf8(shell.stdout).unwrap()
    }

    fn reference(text: String) -> SecretRef {
        SecretRef::try_from(text).unwrap()
    }

    #[test]
    fn whatever_a_text_holds_a_shell_takes_it_as_one_word() {
        for text in ODD {
            assert_eq!(said(&word(text)), text);
        }
        assert_eq!(
            word("https://a.example:8443/b-c_d"),
            "https://a.example:8443/b-c_d"
        );
    }

    #[test]
    fn a_secret_is_read_where_it_lies_and_its_reference_runs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        for name in ODD {
            let path = folder.path().join(name);
            std::fs::write(&path, "a $secret").unwrap();
            assert_eq!(
                said(&secret(&reference(format!("file:{}", path.display())))),
                "a $secret"
            );
            assert_eq!(said(&secret(&reference(format!("env:{name}")))), "", "{name}");
        }
        assert_eq!(secret(&reference("env:TOKEN_1".to_owned())), "\"${TOKEN_1}\"");
    }
}
