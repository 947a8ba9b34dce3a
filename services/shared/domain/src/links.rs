//! Signed, expiring links to stored files: whoever holds one may read one file for a while, and nothing else.

use std::fmt::Write;

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use proto_schemas::ids::UnixMillis;
use sha2::Sha256;

use crate::fields;

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

/// The link to the file stored under `key`, valid until `expires`:
/// `{base_url}/{key}?expires={milliseconds}&signature={base64url}`. Slashes in the key stay as they are,
/// everything that has a meaning in a URL is escaped.
pub fn sign(base_url: &str, key: &str, expires: UnixMillis, secret: &[u8]) -> String {
    let signature = BASE64URL_NOPAD.encode(&mac(key, expires, secret).finalize().into_bytes());
    let (base, path) = (base_url.trim_end_matches('/'), escape(key));
    format!("{base}/{path}?expires={}&signature={signature}", expires.0)
}

/// Whether a link opens the file stored under `key` at the time `now`. `key` is the path after escapes are
/// undone. The signature is compared in constant time, and before the expiry, so a forged link learns nothing.
///
/// # Errors
/// [`LinkError`] when it does not.
pub fn verify(
    key: &str,
    expires: UnixMillis,
    signature: &str,
    now: UnixMillis,
    secret: &[u8],
) -> Result<(), LinkError> {
    let given = BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .map_err(|_| LinkError::BadSignature)?;
    mac(key, expires, secret)
        .verify_slice(&given)
        .map_err(|_| LinkError::BadSignature)?;
    if now >= expires {
        return Err(LinkError::Expired);
    }
    Ok(())
}

fn mac(key: &str, expires: UnixMillis, secret: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(secret).expect("HMAC takes a secret of any length");
    mac.update(&fields::encode(
        "link",
        &[Some(key), Some(&expires.0.to_string())],
    ));
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

    fn signature(link: &str) -> &str {
        link.rsplit_once("&signature=").unwrap().1
    }

    #[test]
    fn links_that_are_out_there_stay_valid() {
        let link = sign("https://files.example/files/", KEY, EXPIRES, SECRET);
        assert_eq!(
            link,
            "https://files.example/files/in/msg_chat_m1/photo%201.png?expires=2000&signature=c20Ivnx7-1iyn4bhuCTwuu7Ilzc26EfIIo6RLKKVBqs"
        );
    }

    #[test]
    fn a_signed_link_opens_its_file_until_it_expires() {
        let link = sign("https://files.example", KEY, EXPIRES, SECRET);
        let opened_at = |now| verify(KEY, EXPIRES, signature(&link), now, SECRET);
        assert_eq!(opened_at(NOW), Ok(()));
        assert_eq!(opened_at(EXPIRES), Err(LinkError::Expired));
    }

    #[test]
    fn a_link_opens_nothing_else() {
        let link = sign("https://files.example", KEY, EXPIRES, SECRET);
        let good = signature(&link);
        let later = UnixMillis(EXPIRES.0 + 1);
        let cut = &good[..good.len() - 1];
        for (key, expires, signature, secret) in [
            ("in/other", EXPIRES, good, SECRET),
            (KEY, later, good, SECRET),
            (KEY, EXPIRES, good, b"another secret".as_slice()),
            (KEY, EXPIRES, cut, SECRET),
            (KEY, EXPIRES, "", SECRET),
            (KEY, EXPIRES, "not base64!", SECRET),
        ] {
            assert_eq!(
                verify(key, expires, signature, NOW, secret),
                Err(LinkError::BadSignature),
                "{key}"
            );
        }
    }

    #[test]
    fn a_forged_link_is_not_told_that_it_expired() {
        assert_eq!(
            verify(KEY, EXPIRES, "AAAA", UnixMillis(9_000), SECRET),
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
            let link = sign("https://files.example", KEY, EXPIRES, SECRET);
            let mut bytes = BASE64URL_NOPAD.decode(signature(&link).as_bytes()).unwrap();
            bytes[at] ^= 1 << bit;
            let changed = BASE64URL_NOPAD.encode(&bytes);
            prop_assert_eq!(verify(KEY, EXPIRES, &changed, NOW, SECRET), Err(LinkError::BadSignature));
        }
    }
}
