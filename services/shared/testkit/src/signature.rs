//! Standard Webhooks signatures (`channels.md`, sections 1.4 and 5), written from the specification and apart
//! from the platform's own code, so that both must agree with it and not with each other.

use axum::http::HeaderMap;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far a timestamp may lie from now, both ways, in seconds.
const TOLERANCE_SECONDS: u64 = 300;

pub(crate) fn sign(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> String {
    let key = secret
        .strip_prefix("whsec_")
        .expect("a secret begins with whsec_");
    let key = BASE64.decode(key.as_bytes()).expect("a secret is base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

/// Checks a request; returns its identifier and timestamp, or what is wrong.
pub(crate) fn verify(
    secret: &str,
    headers: &HeaderMap,
    body: &[u8],
    now: u64,
) -> Result<(String, u64), String> {
    let header = |name: &str| {
        let value = headers.get(name).ok_or(format!("{name} is missing"))?;
        value
            .to_str()
            .map(str::to_owned)
            .map_err(|_| format!("{name} is no text"))
    };
    let id = header("webhook-id")?;
    let timestamp: u64 = header("webhook-timestamp")?
        .parse()
        .map_err(|_| "webhook-timestamp is no number".to_owned())?;
    if now.abs_diff(timestamp) > TOLERANCE_SECONDS {
        return Err("webhook-timestamp is too far from now".to_owned());
    }
    let expected = sign(secret, &id, timestamp, body);
    if header("webhook-signature")?
        .split(' ')
        .any(|signature| signature == expected)
    {
        return Ok((id, timestamp));
    }
    Err("no signature matches".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = b"{\"test\": 2432232314}";
    const AT: u64 = 1_614_265_330;

    fn headers(timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", ID.parse().unwrap());
        headers.insert("webhook-timestamp", timestamp.parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }

    #[test]
    fn the_published_vector_is_reproduced() {
        assert_eq!(
            sign(SECRET, ID, AT, BODY),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn any_matching_signature_of_a_list_is_enough() {
        let list = format!("v1,AAAA {}", sign(SECRET, ID, AT, BODY));
        assert_eq!(
            verify(SECRET, &headers(&AT.to_string(), &list), BODY, AT),
            Ok((ID.to_owned(), AT))
        );
    }

    #[test]
    fn what_is_changed_stale_or_missing_is_refused() {
        let good = headers(&AT.to_string(), &sign(SECRET, ID, AT, BODY));
        assert!(verify(SECRET, &good, BODY, AT + TOLERANCE_SECONDS).is_ok());
        assert!(verify(SECRET, &good, BODY, AT + TOLERANCE_SECONDS + 1).is_err());
        assert!(verify(SECRET, &good, BODY, AT - TOLERANCE_SECONDS - 1).is_err());
        assert!(verify(SECRET, &good, b"{}", AT).is_err());
        assert!(verify(SECRET, &headers("soon", "v1,AAAA"), BODY, AT).is_err());
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut lacking = good.clone();
            lacking.remove(name);
            assert!(verify(SECRET, &lacking, BODY, AT).unwrap_err().contains(name));
        }
    }
}
