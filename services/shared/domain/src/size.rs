//! How large things become on the wire.
//!
//! Records and turns must stay below the server's `max_payload` of 1 MiB. A text can grow sixfold when it is
//! written as JSON, so the caps count what is written, not what is held.

use proto_schemas::content::{IncomingFile, Utterance};

/// Field names, role, time and the longest message id of an utterance, rounded up.
const UTTERANCE_FRAME: usize = 256;
/// Field names, state and size of a file, rounded up.
const FILE_FRAME: usize = 128;

/// An upper bound of an utterance's size as JSON.
pub(crate) fn utterance_bytes(utterance: &Utterance) -> usize {
    frame_bytes(utterance) + text_bytes(&utterance.text)
}

/// As [`utterance_bytes`], of all but the text.
pub(crate) fn frame_bytes(utterance: &Utterance) -> usize {
    UTTERANCE_FRAME + utterance.files.iter().map(file_bytes).sum::<usize>()
}

/// The longest start of `text` that takes at most `max` bytes as JSON and ends with a whole character.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    let mut taken = 0;
    for (at, character) in text.char_indices() {
        taken += text_bytes(&text[at..at + character.len_utf8()]);
        if taken > max {
            return &text[..at];
        }
    }
    text
}

fn file_bytes(file: &IncomingFile) -> usize {
    let texts = match file {
        IncomingFile::Stored(stored) => {
            text_bytes(&stored.key) + text_bytes(&stored.name) + text_bytes(&stored.mime_type)
        }
        IncomingFile::Unavailable { name, reason } => text_bytes(name) + text_bytes(reason),
    };
    FILE_FRAME + texts
}

/// How many bytes JSON takes for each byte of a text. Looked up, because every text of a history is counted
/// several times a turn.
const WRITTEN: [u8; 256] = {
    let mut written = [1; 256];
    let mut byte = 0;
    while byte < 0x20 {
        written[byte] = 6;
        byte += 1;
    }
    let short = *b"\"\\\n\r\t\x08\x0c";
    let mut index = 0;
    while index < short.len() {
        written[short[index] as usize] = 2;
        index += 1;
    }
    written
};

fn text_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| usize::from(WRITTEN[usize::from(byte)]))
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proto_schemas::content::{Role, StoredFile};
    use proto_schemas::ids::{MAX_ID_BYTES, MessageId, UnixMillis};

    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut("aé€", 3), "aé");
        assert_eq!(cut("aé€", 5), "aé");
        assert_eq!(cut("aé€", 6), "aé€");
        assert_eq!(cut("a\"b", 2), "a");
        assert_eq!(cut("a", 0), "");
    }

    proptest! {
        #[test]
        fn nothing_is_written_larger_than_counted(text in "[\\x00-\\x7fé€😀]{0,40}", name in ".{0,9}") {
            prop_assert_eq!(text_bytes(&text) + 2, serde_json::to_string(&text).unwrap().len());
            let stored = StoredFile {
                key: name.clone(), name: name.clone(), mime_type: text.clone(), bytes: u64::MAX,
            };
            let utterance = Utterance {
                role: Role::Assistant,
                text: text.clone(),
                files: vec![
                    IncomingFile::Stored(stored),
                    IncomingFile::Unavailable { name, reason: text },
                ],
                message_id: Some(MessageId::new("x".repeat(MAX_ID_BYTES)).unwrap()),
                at: UnixMillis(u64::MAX),
            };
            let written = serde_json::to_string(&utterance).unwrap().len();
            prop_assert!(written <= utterance_bytes(&utterance));
        }
    }
}
