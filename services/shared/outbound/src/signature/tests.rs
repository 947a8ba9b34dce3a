use proptest::prelude::*;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: u64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn key() -> SigningKey {
    SigningKey::parse(SECRET).unwrap()
}

/// Verifies the published vector with one thing changed.
fn outcome(id: &str, timestamp: &str, list: &str, body: &[u8], now: u64) -> Result<(), VerifyError> {
    verify(&[key()], id, timestamp, list, body, now)
}

#[test]
fn the_published_vectors_are_met() {
    assert_eq!(sign(&key(), ID, AT, BODY), SIGNATURE);
    assert_eq!(outcome(ID, "1614265330", SIGNATURE, BODY, AT), Ok(()));
    let other = SigningKey::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    assert_eq!(
        sign(&other, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body),
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
    );
}

#[test]
fn time_may_be_off_by_five_minutes_and_no_more() {
    for (now, expected) in [
        (AT + TOLERANCE_SECS, Ok(())),
        (AT - TOLERANCE_SECS, Ok(())),
        (AT + TOLERANCE_SECS + 1, Err(VerifyError::TooOld)),
        (AT - TOLERANCE_SECS - 1, Err(VerifyError::TooNew)),
    ] {
        assert_eq!(outcome(ID, "1614265330", SIGNATURE, BODY, now), expected, "{now}");
    }
}

#[test]
fn a_timestamp_is_digits_only() {
    for bad in [
        "",
        "x",
        "-1",
        "+1614265330",
        " 1614265330",
        "1614265330.0",
        "99999999999999999999",
    ] {
        assert_eq!(
            outcome(ID, bad, SIGNATURE, BODY, AT),
            Err(VerifyError::BadTimestamp),
            "{bad:?}"
        );
    }
}

#[test]
fn anything_changed_is_no_match() {
    let no_match = Err(VerifyError::NoMatch);
    assert_eq!(outcome("msg_other", "1614265330", SIGNATURE, BODY, AT), no_match);
    assert_eq!(outcome(ID, "1614265331", SIGNATURE, BODY, AT), no_match);
    assert_eq!(
        outcome(ID, "1614265330", SIGNATURE, br#"{"test": 2432232314} "#, AT),
        no_match
    );
    let flipped = SIGNATURE.replace("g0hM", "g0hN");
    let unversioned = SIGNATURE.trim_start_matches("v1,");
    for list in [
        "",
        " ",
        "v1,",
        "v1",
        &flipped,
        unversioned,
        &format!("v2,{unversioned}"),
        &SIGNATURE[..20],
    ] {
        assert_eq!(outcome(ID, "1614265330", list, BODY, AT), no_match, "{list:?}");
    }
}

#[test]
fn one_matching_signature_among_many_is_enough() {
    let list = format!("v1a,abc v1,AAAA {SIGNATURE} v1,BBBB");
    assert_eq!(outcome(ID, "1614265330", &list, BODY, AT), Ok(()));
}

#[test]
fn any_of_the_keys_may_match_during_a_rotation() {
    let new = SigningKey::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    assert_eq!(
        verify(&[new.clone(), key()], ID, "1614265330", SIGNATURE, BODY, AT),
        Ok(())
    );
    assert_eq!(
        verify(&[new], ID, "1614265330", SIGNATURE, BODY, AT),
        Err(VerifyError::NoMatch)
    );
    assert_eq!(
        verify(&[], ID, "1614265330", SIGNATURE, BODY, AT),
        Err(VerifyError::NoMatch)
    );
}

#[test]
fn a_dot_cannot_move_the_border_between_the_signed_fields() {
    // `a` + 1614265330 + `1614265330.x` signs the same bytes as `a.1614265330` + 1614265330 + `x`.
    let signed = sign(&key(), "a", AT, b"1614265330.x");
    assert_eq!(outcome("a", "1614265330", &signed, b"1614265330.x", AT), Ok(()));
    assert_eq!(
        outcome("a.1614265330", "1614265330", &signed, b"x", AT),
        Err(VerifyError::BadId)
    );
    assert_eq!(
        outcome("", "1614265330", &signed, b"x", AT),
        Err(VerifyError::BadId)
    );
}

#[test]
fn a_key_has_24_to_64_bytes() {
    let secret = |bytes: usize| format!("whsec_{}", BASE64.encode(&vec![7; bytes]));
    for (bytes, good) in [(0, false), (23, false), (24, true), (64, true), (65, false)] {
        assert_eq!(SigningKey::parse(&secret(bytes)).is_ok(), good, "{bytes}");
    }
}

#[test]
fn a_wrong_secret_is_not_repeated() {
    for bad in [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_!!!",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ] {
        let error = SigningKey::parse(bad).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("MfKQ"), "{error}");
    }
    assert_eq!(format!("{:?}", key()), "SigningKey(…)");
}

#[test]
fn the_official_library_verifies_what_we_sign() {
    // The library reads the clock, so the signature has to be of now.
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let list = sign(&key(), ID, now, BODY);
    let headers = HeaderMap::from_iter([
        (HeaderName::from_static(WEBHOOK_ID), HeaderValue::from_static(ID)),
        (HeaderName::from_static(WEBHOOK_TIMESTAMP), HeaderValue::from(now)),
        (
            HeaderName::from_static(WEBHOOK_SIGNATURE),
            HeaderValue::from_str(&list).unwrap(),
        ),
    ]);
    standardwebhooks::Webhook::new(SECRET)
        .unwrap()
        .verify(BODY, &headers)
        .unwrap();
}

proptest! {
    #[test]
    fn we_verify_what_the_official_library_signs(body in ".*", at in 0_i64..4_000_000_000) {
        let list = standardwebhooks::Webhook::new(SECRET).unwrap().sign(ID, at, body.as_bytes()).unwrap();
        let at = at as u64;
        prop_assert_eq!(&sign(&key(), ID, at, body.as_bytes()), &list);
        prop_assert_eq!(outcome(ID, &at.to_string(), &list, body.as_bytes(), at), Ok(()));
    }

    #[test]
    fn no_header_makes_verification_panic(id in ".*", timestamp in ".*", list in ".*", now: u64) {
        prop_assert!(outcome(&id, &timestamp, &list, b"x", now).is_err());
    }
}
