//! Signatures by Standard Webhooks (`webhooks.md`, section 1d): who sent a body, and when.

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// Header with the identity of the message: the same on every retry.
pub const WEBHOOK_ID: &str = "webhook-id";
/// Header with the time of the attempt, in whole seconds since 1970: new on every retry.
pub const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
/// Header with the signatures, separated by spaces.
pub const WEBHOOK_SIGNATURE: &str = "webhook-signature";

/// How far a timestamp may lie in the past or the future (`webhooks.md`, section 1d). Bounds how long a
/// recorded request can be replayed.
pub const TOLERANCE_SECS: u64 = 300;
/// The shortest key that the standard allows.
pub const MIN_KEY_BYTES: usize = 24;
/// The longest key that the standard allows.
pub const MAX_KEY_BYTES: usize = 64;

const SECRET_PREFIX: &str = "whsec_";
const VERSION_PREFIX: &str = "v1,";

/// A key that signs and verifies. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

/// A text is no signing secret. Repeats nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is `whsec_` and {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in base64")]
pub struct BadKey;

/// Why a request is not authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The identity is empty or holds a dot, which separates the signed fields.
    #[error("webhook-id is empty or holds a dot")]
    BadId,
    /// The timestamp is not a whole number of seconds.
    #[error("webhook-timestamp is not a number of seconds")]
    BadTimestamp,
    /// The timestamp lies too far in the past.
    #[error("webhook-timestamp is more than {TOLERANCE_SECS} seconds old")]
    TooOld,
    /// The timestamp lies too far in the future.
    #[error("webhook-timestamp is more than {TOLERANCE_SECS} seconds in the future")]
    TooNew,
    /// No signature matches.
    #[error("webhook-signature holds no matching signature")]
    NoMatch,
}

impl SigningKey {
    /// Reads a secret of the form `whsec_…`.
    ///
    /// # Errors
    /// [`BadKey`] when the prefix is missing, the base64 is wrong or the key has the wrong length.
    pub fn parse(secret: &str) -> Result<Self, BadKey> {
        let encoded = secret.strip_prefix(SECRET_PREFIX).ok_or(BadKey)?;
        let key = BASE64.decode(encoded.as_bytes()).map_err(|_| BadKey)?;
        if (MIN_KEY_BYTES..=MAX_KEY_BYTES).contains(&key.len()) {
            Ok(Self(key))
        } else {
            Err(BadKey)
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Signs the exact bytes that are sent: the value of [`WEBHOOK_SIGNATURE`]. `id` must not hold a dot.
pub fn sign(key: &SigningKey, id: &str, timestamp_secs: u64, body: &[u8]) -> String {
    signature(key, id, &timestamp_secs.to_string(), body)
}

/// Verifies a body against the three headers: one key and one signature of the list must match. Takes the
/// same time whichever they are.
///
/// # Errors
/// [`VerifyError`] when the headers are malformed, the time is too far off, or nothing matches.
pub fn verify(
    keys: &[SigningKey],
    id: &str,
    timestamp: &str,
    header_list: &str,
    body: &[u8],
    now_secs: u64,
) -> Result<(), VerifyError> {
    // With a dot inside, the border between identity, time and body could be moved under one signature.
    if id.is_empty() || id.contains('.') {
        return Err(VerifyError::BadId);
    }
    check_time(timestamp, now_secs)?;
    let mut matched = Choice::from(0);
    for key in keys {
        let expected = signature(key, id, timestamp, body);
        for given in header_list.split(' ') {
            matched |= expected.as_bytes().ct_eq(given.as_bytes());
        }
    }
    if matched.into() {
        Ok(())
    } else {
        Err(VerifyError::NoMatch)
    }
}

fn check_time(timestamp: &str, now_secs: u64) -> Result<(), VerifyError> {
    if !timestamp.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VerifyError::BadTimestamp);
    }
    let at: u64 = timestamp.parse().map_err(|_| VerifyError::BadTimestamp)?;
    if now_secs.saturating_sub(at) > TOLERANCE_SECS {
        return Err(VerifyError::TooOld);
    }
    if at.saturating_sub(now_secs) > TOLERANCE_SECS {
        return Err(VerifyError::TooNew);
    }
    Ok(())
}

fn signature(key: &SigningKey, id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.0).expect("HMAC takes a key of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    format!("{VERSION_PREFIX}{}", BASE64.encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests;
