//! Whether Discord sent a request: Ed25519 over its time and its raw body (`channels.md`, section 4.1.3).

use data_encoding::HEXLOWER_PERMISSIVE;
use ed25519_dalek::{Signature, VerifyingKey};

use crate::inbound::{Refusal, Request};
use crate::signed::{fresh, header, unauthorized};

const SIGNATURE: &str = "x-signature-ed25519";
const TIMESTAMP: &str = "x-signature-timestamp";

/// An application's public key, as Discord writes it; none if it is not one.
pub(super) fn public_key(hex: &str) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(&bytes(hex)?).ok()
}

pub(super) fn verify(key: &VerifyingKey, request: &Request<'_>) -> Result<(), Refusal> {
    let timestamp = fresh(request, TIMESTAMP)?;
    let given = header(request, SIGNATURE)?;
    let signature = bytes(given).ok_or_else(|| unauthorized(SIGNATURE, "is not 64 bytes in hex"))?;
    let message = [timestamp.as_bytes(), request.body].concat();
    key.verify_strict(&message, &Signature::from_bytes(&signature))
        .map_err(|_| unauthorized(SIGNATURE, "does not match"))
}

fn bytes<const LENGTH: usize>(hex: &str) -> Option<[u8; LENGTH]> {
    let decoded = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?;
    decoded.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::*;

    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    const AT: u64 = 1_700_000_000;
    const PING: &str = r#"{"type":1}"#;
    const SIGNED_PING: &str = "1695961a47c91a1ec033b819b7e87e3dbc583dd0cee6d1fd0216f58ac87b6228\
        ae531ddbf91fb7bc28d7edf7f08604da16f54624f38a6bc0614e4dc13cd47f0f";

    fn check(headers: &HeaderMap, body: &[u8], now_secs: u64) -> Result<(), Refusal> {
        let request = Request {
            headers,
            body,
            now_secs,
        };
        verify(&public_key(KEY).unwrap(), &request)
    }

    fn headers(timestamp: &str, signature: &[u8]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP, HeaderValue::from_str(timestamp).unwrap());
        headers.insert(SIGNATURE, HeaderValue::from_bytes(signature).unwrap());
        headers
    }

    fn is_refused(timestamp: &str, signature: &str, body: &str, now_secs: u64) -> bool {
        let headers = headers(timestamp, signature.as_bytes());
        matches!(
            check(&headers, body.as_bytes(), now_secs),
            Err(Refusal::Unauthorized(_))
        )
    }

    #[test]
    fn the_vectors_are_reproduced() {
        let event = r#"{"version":1,"application_id":"1234560123453231555","type":0}"#;
        let signed_event = "506e4e1e38ce57f3fe92c32c3dab9a3ca32466e2d11874b864ce596c6f75d485\
            aeddc700d944aedf483d31ebb396a80b439fd151f924eb873169a67742ce0300";
        for (body, signature) in [(PING, SIGNED_PING), (event, signed_event)] {
            let headers = headers("1700000000", signature.as_bytes());
            assert_eq!(check(&headers, body.as_bytes(), AT), Ok(()), "{body}");
        }
    }

    #[test]
    fn a_request_is_good_for_five_minutes_either_way() {
        for now in [AT - 300, AT, AT + 300] {
            assert!(!is_refused("1700000000", SIGNED_PING, PING, now), "{now}");
        }
        for now in [AT - 301, AT + 301] {
            assert!(is_refused("1700000000", SIGNED_PING, PING, now), "{now}");
        }
    }

    #[test]
    fn what_is_changed_or_malformed_is_refused() {
        let one_digit = format!("0{}", &SIGNED_PING[1..]);
        let no_hex = format!("g{}", &SIGNED_PING[1..]);
        let halves = [&SIGNED_PING[1..], &SIGNED_PING[2..], ""];
        let longer = format!("{SIGNED_PING}00");
        for signature in [one_digit.as_str(), &no_hex, &longer].into_iter().chain(halves) {
            assert!(is_refused("1700000000", signature, PING, AT), "{signature}");
        }
        for timestamp in [
            "",
            "soon",
            "+1700000000",
            "1700000000.0",
            "1700000001",
            "01700000000",
        ] {
            assert!(is_refused(timestamp, SIGNED_PING, PING, AT), "{timestamp}");
        }
        assert!(is_refused("1700000000", SIGNED_PING, &format!("{PING} "), AT));
    }

    #[test]
    fn a_header_that_is_missing_is_refused() {
        for name in [TIMESTAMP, SIGNATURE] {
            let mut headers = headers("1700000000", SIGNED_PING.as_bytes());
            headers.remove(name);
            let refusal = check(&headers, PING.as_bytes(), AT).unwrap_err();
            assert_eq!(refusal, unauthorized(name, "is missing"));
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in ["", "hunter2", &KEY[2..], &format!("{KEY}00")] {
            assert!(public_key(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_refused_quietly(signature in proptest::collection::vec(0x20_u8..0x7f, 0..140)) {
            prop_assert!(check(&headers("1700000000", &signature), PING.as_bytes(), AT).is_err());
        }

        #[test]
        fn any_bytes_of_a_header_are_refused_quietly(signature in proptest::collection::vec(0x80_u8.., 0..140)) {
            prop_assert!(check(&headers("1700000000", &signature), PING.as_bytes(), AT).is_err());
        }
    }
}
