//! Signed, expiring links to stored files: whoever holds one may read one file for a while, and nothing else.

use std::fmt::Write;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use proto_schemas::content::StoredFile;
use proto_schemas::ids::UnixMillis;
use sha2::Sha256;

use crate::{fields, files};

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It was ours, but its time is over.
    #[error("the link has expired")]
    Expired,
    /// It is not ours, or was changed.
    #[error("the link's signature is wrong")]
    BadSignature,
}

/// What a link says of a file, after escapes are undone.
#[derive(Debug, Clone, Copy)]
pub struct Linked<'a> {
    /// Its path behind the base URL: [`files::split_path`] gives key and name.
    pub path: &'a str,
    /// Its media type; links made before a file's key was its content have none.
    pub mime_type: Option<&'a str>,
    /// When it ends.
    pub expires: UnixMillis,
}

/// The link to a stored file, valid until `expires`:
/// `{base_url}/{key}/{name}?type={media type}&expires={milliseconds}&signature={base64url}`. Slashes in the path stay
/// as they are, everything that has a meaning in a URL is escaped.
pub fn sign(base_url: &str, file: &StoredFile, expires: UnixMillis, secret: &[u8]) -> String {
    let path = files::link_path(file);
    let linked = Linked {
        path: &path,
        mime_type: Some(&file.mime_type),
        expires,
    };
    let signature = BASE64URL_NOPAD.encode(&mac(linked, secret).finalize().into_bytes());
    let (base, path, mime_type) = (
        base_url.trim_end_matches('/'),
        escape(&path),
        escape(&file.mime_type),
    );
    format!(
        "{base}/{path}?type={mime_type}&expires={}&signature={signature}",
        expires.0
    )
}

/// Whether a link opens its file at the time `now`. The signature is compared in constant time, and before the
/// expiry, so a forged link learns nothing.
///
/// # Errors
/// [`LinkError`] when it does not.
pub fn verify(linked: Linked<'_>, signature: &str, now: UnixMillis, secret: &[u8]) -> Result<(), LinkError> {
    let given = BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .map_err(|_| LinkError::BadSignature)?;
    mac(linked, secret)
        .verify_slice(&given)
        .map_err(|_| LinkError::BadSignature)?;
    if now >= linked.expires {
        return Err(LinkError::Expired);
    }
    Ok(())
}

fn mac(linked: Linked<'_>, secret: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(secret).expect("HMAC takes a secret of any length");
    let expires = linked.expires.0.to_string();
    let mut fields = vec![Some(linked.path), Some(expires.as_str())];
    if linked.mime_type.is_some() {
        fields.push(linked.mime_type);
    }
    mac.update(&fields::encode("link", &fields));
    mac
}

fn escape(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                path.push(char::from(byte));
            }
            _ => write!(path, "%{byte:02X}").expect("a string takes all that is written to it"),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXPIRES: UnixMillis = UnixMillis(2_000);
    const NOW: UnixMillis = UnixMillis(1_999);
    const SECRET: &[u8] = b"a secret for links";
    const KEY: &str = "in/msg_chat_m1/photo 1.png";
    const HASHED: &str = "sha256/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn file(key: &str) -> StoredFile {
        StoredFile {
            key: key.to_owned(),
            name: "photo 1.png".to_owned(),
            mime_type: "image/png".to_owned(),
            bytes: 3,
        }
    }

    fn linked(path: &str) -> Linked<'_> {
        Linked {
            path,
            mime_type: Some("image/png"),
            expires: EXPIRES,
        }
    }

    fn signature(link: &str) -> &str {
        link.rsplit_once("&signature=").unwrap().1
    }

    #[test]
    fn links_that_are_out_there_stay_valid() {
        let link = sign("https://files.example/files/", &file(HASHED), EXPIRES, SECRET);
        assert_eq!(
            link,
            format!(
                "https://files.example/files/{HASHED}/photo%201.png?type=image/png&expires=2000&signature=VaY30da-PQSCk0KABXiO7-7gzklEHxcjkFoA6zXA0G0"
            )
        );
        // Made when a key told nothing of the content, and the media type stood beside the stored bytes.
        let without_type = Linked {
            mime_type: None,
            ..linked(KEY)
        };
        let signature = "c20Ivnx7-1iyn4bhuCTwuu7Ilzc26EfIIo6RLKKVBqs";
        assert_eq!(verify(without_type, signature, NOW, SECRET), Ok(()));
    }

    #[test]
    fn a_signed_link_opens_its_file_until_it_expires() {
        for (key, path) in [(KEY, KEY.to_owned()), (HASHED, format!("{HASHED}/photo 1.png"))] {
            let link = sign("https://files.example", &file(key), EXPIRES, SECRET);
            let opened_at = |now| verify(linked(&path), signature(&link), now, SECRET);
            assert_eq!(opened_at(NOW), Ok(()));
            assert_eq!(opened_at(EXPIRES), Err(LinkError::Expired));
        }
    }

    #[test]
    fn a_link_opens_nothing_else() {
        let link = sign("https://files.example", &file(KEY), EXPIRES, SECRET);
        let good = signature(&link);
        let mine = linked(KEY);
        let expires = UnixMillis(EXPIRES.0 + 1);
        let of_type = |mime_type| Linked { mime_type, ..mine };
        let cut = &good[..good.len() - 1];
        for (linked, signature, secret) in [
            (linked("in/other"), good, SECRET),
            (Linked { expires, ..mine }, good, SECRET),
            (of_type(Some("text/html")), good, SECRET),
            (of_type(None), good, SECRET),
            (mine, good, b"another secret".as_slice()),
            (mine, cut, SECRET),
            (mine, "", SECRET),
            (mine, "not base64!", SECRET),
        ] {
            assert_eq!(
                verify(linked, signature, NOW, secret),
                Err(LinkError::BadSignature),
                "{linked:?}"
            );
        }
    }

    #[test]
    fn a_forged_link_is_not_told_that_it_expired() {
        assert_eq!(
            verify(linked(KEY), "AAAA", UnixMillis(9_000), SECRET),
            Err(LinkError::BadSignature)
        );
    }

    #[test]
    fn a_key_cannot_leave_the_path_of_a_link() {
        assert_eq!(escape("a/b c?d#e%f&é"), "a/b%20c%3Fd%23e%25f%26%C3%A9");
    }

    proptest! {
        #[test]
        fn any_single_change_breaks_the_signature(at in 0..32_usize, bit in 0..8_u8) {
            let link = sign("https://files.example", &file(KEY), EXPIRES, SECRET);
            let mut bytes = BASE64URL_NOPAD.decode(signature(&link).as_bytes()).unwrap();
            bytes[at] ^= 1 << bit;
            let changed = BASE64URL_NOPAD.encode(&bytes);
            prop_assert_eq!(verify(linked(KEY), &changed, NOW, SECRET), Err(LinkError::BadSignature));
        }
    }
}
