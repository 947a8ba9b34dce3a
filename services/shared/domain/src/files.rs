//! Keys of stored files, and the paths by which they are linked to.
//!
//! A key says what the file holds, so the same bytes are stored once, under whatever names they come. Name and media
//! type belong to whoever refers to the file ([`StoredFile`]), and travel in links.

use data_encoding::HEXLOWER;
use proto_schemas::content::StoredFile;
use sha2::{Digest, Sha256};

const PREFIX: &str = "sha256/";
const HASH_CHARS: usize = 64;

/// The key of a file with these bytes: `sha256/{hex}`.
pub fn content_key(bytes: &[u8]) -> String {
    format!("{PREFIX}{}", HEXLOWER.encode(&Sha256::digest(bytes)))
}

/// Whether a key is one of [`content_key`]. Files that were stored under other keys keep them.
pub fn is_content_key(key: &str) -> bool {
    key.strip_prefix(PREFIX)
        .is_some_and(|hash| hash.len() == HASH_CHARS && hash.bytes().all(is_hash))
}

/// The path of the link to a file: its key with its name behind. Keys that say nothing of the content end in the name.
pub fn link_path(file: &StoredFile) -> String {
    if is_content_key(&file.key) {
        format!("{}/{}", file.key, file.name)
    } else {
        file.key.clone()
    }
}

/// The key and the name in the path of a link.
pub fn split_path(path: &str) -> (&str, &str) {
    match path.split_at_checked(PREFIX.len() + HASH_CHARS) {
        Some((key, name)) if is_content_key(key) && name.starts_with('/') => (key, &name[1..]),
        Some(_) | None => (path, path.rsplit('/').next().unwrap_or_default()),
    }
}

fn is_hash(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ABC: &str = "sha256/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn file(key: &str, name: &str) -> StoredFile {
        StoredFile {
            key: key.to_owned(),
            name: name.to_owned(),
            mime_type: "text/plain".to_owned(),
            bytes: 3,
        }
    }

    #[test]
    fn a_key_is_the_digest_of_the_bytes() {
        assert_eq!(content_key(b"abc"), OF_ABC);
        assert!(is_content_key(OF_ABC));
        for other in [
            "conv_1/msg_1/0/a.png",
            "sha256/abc",
            &OF_ABC.to_uppercase(),
            &format!("{OF_ABC}0"),
        ] {
            assert!(!is_content_key(other), "{other}");
        }
    }

    #[test]
    fn a_path_gives_back_key_and_name() {
        for (key, name) in [
            (OF_ABC, "a b.png"),
            (OF_ABC, "é"),
            ("conv_1/msg_1/0/a.png", "a.png"),
        ] {
            let path = link_path(&file(key, name));
            assert_eq!(split_path(&path), (key, name), "{path}");
        }
    }

    #[test]
    fn a_path_that_is_no_content_key_is_a_key_itself() {
        for path in [OF_ABC, "sha256/é", "", "dead-letters/dl_1"] {
            assert_eq!(split_path(path).0, path);
        }
    }
}
