//! Whether Slack sent a request: an HMAC over its time and its raw body (`channels.md`, section 3.1.2).

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use registry::Secret;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::inbound::{Refusal, Request};
use crate::signed::{fresh, header, unauthorized};

const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";

/// Takes the same time whatever is wrong with the signature.
pub(super) fn verify(secret: &Secret, request: &Request<'_>) -> Result<(), Refusal> {
    let timestamp = fresh(request, TIMESTAMP)?;
    let given = header(request, SIGNATURE)?;
    let expected = sign(secret, timestamp, request.body);
    if expected.as_bytes().ct_eq(given.as_bytes()).into() {
        Ok(())
    } else {
        Err(unauthorized(SIGNATURE, "does not match"))
    }
}

/// The secret is taken as the text that it is, although it looks like hex.
fn sign(secret: &Secret, timestamp: &str, body: &[u8]) -> String {
    let key = secret.expose().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in [b"v0:", timestamp.as_bytes(), b":", body] {
        mac.update(part);
    }
    format!("v0={}", HEXLOWER.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue};

    use super::*;

    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const COMMAND: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=\
        &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const CHALLENGE: &str = include_str!("../../tests/fixtures/slack/url_verification.json");

    fn check(timestamp: &str, signature: &str, body: &[u8], now_secs: u64) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(TIMESTAMP, HeaderValue::from_str(timestamp).unwrap());
        headers.insert(SIGNATURE, HeaderValue::from_str(signature).unwrap());
        let request = Request {
            headers: &headers,
            body,
            now_secs,
        };
        verify(&Secret::new(SECRET), &request)
    }

    #[test]
    fn the_published_vectors_are_reproduced() {
        for (timestamp, body, signature) in [
            (
                "1531420618",
                COMMAND,
                "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
            ),
            (
                "1700000000",
                CHALLENGE.trim_end(),
                "v0=76c303eba32e8ec5639c84f822b2c64cdb1ea7e94fdd6d7b0b958d8e40c0959f",
            ),
            (
                "1700000000",
                "",
                "v0=e32114b39f9a22e4b8d8778478b39e6ed0677e5562e5474c3104b4074f1917e2",
            ),
            (
                "1700000000",
                "{\"text\":\"héllo 😀\"}",
                "v0=b49759b7941ae84f78fb0001412f914a71713ac964fab98df407c5992a131695",
            ),
        ] {
            assert_eq!(sign(&Secret::new(SECRET), timestamp, body.as_bytes()), signature);
            let now = timestamp.parse().unwrap();
            assert_eq!(check(timestamp, signature, body.as_bytes(), now), Ok(()));
        }
    }

    #[test]
    fn a_request_is_good_for_five_minutes_either_way() {
        let at: u64 = 1_700_000_000;
        let good = sign(&Secret::new(SECRET), &at.to_string(), b"x");
        for now in [at - 300, at, at + 300] {
            assert_eq!(check(&at.to_string(), &good, b"x", now), Ok(()));
        }
        for now in [at - 301, at + 301] {
            let refused = check(&at.to_string(), &good, b"x", now);
            assert!(
                matches!(refused, Err(Refusal::Unauthorized(_))),
                "{now}: {refused:?}"
            );
        }
    }

    #[test]
    fn what_is_changed_or_malformed_is_refused() {
        let at = "1700000000";
        let good = sign(&Secret::new(SECRET), at, b"body");
        let last = if good.ends_with('0') { "1" } else { "0" };
        let one_digit = format!("{}{last}", &good[..good.len() - 1]);
        let bare = good.trim_start_matches("v0=").to_owned();
        let refused = |timestamp: &str, signature: &str, body: &[u8]| {
            matches!(
                check(timestamp, signature, body, 1_700_000_000),
                Err(Refusal::Unauthorized(_))
            )
        };
        assert!(!refused(at, &good, b"body"));
        for signature in [one_digit.as_str(), &bare, "", "v0=", &good.to_uppercase()] {
            assert!(refused(at, signature, b"body"), "{signature}");
        }
        for timestamp in ["", "soon", "+1700000000", "1700000000.0", "1700000001"] {
            assert!(refused(timestamp, &good, b"body"), "{timestamp}");
        }
        assert!(refused(at, &good, b"body "));
        assert!(refused(at, &good, b"bod"));
    }
}
