//! How a payload says what it is: one header with type and version, checked before decoding.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Header that names type and version of the payload, as `context.v1`.
pub const MESSAGE_TYPE: &str = "Message-Type";
/// Header of W3C Trace Context; one trace follows a message from ingress to its transcript.
pub const TRACEPARENT: &str = "traceparent";
/// Header by which the server recognises a repeated publish.
pub const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Header by which the server takes a message only if the newest one of its subject has this sequence; 0 when
/// there is none. Stored with the message, it names that one's predecessor for good.
pub const PREDECESSOR: &str = "Nats-Expected-Last-Subject-Sequence";

/// Room for a usual payload, so that writing it does not move it again and again.
const USUAL_BYTES: usize = 4096;

/// A type that travels on a subject or lies in a bucket.
pub trait Wire: Serialize + DeserializeOwned + JsonSchema {
    /// Type and version as they stand in [`MESSAGE_TYPE`]. A breaking change is a new version.
    const TYPE: &'static str;

    /// What also stands in headers, for who need not read the payload.
    fn headers(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// Why a payload cannot be read. Always permanent: the same bytes never decode later.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The header names another type, or a version that this build does not know.
    #[error("expected a payload of type {expected}, got {found:?}")]
    WrongType {
        /// What the subject carries.
        expected: &'static str,
        /// What the header says, if there is one.
        found: Option<String>,
    },
    /// The subject names nothing that the payload could belong to.
    #[error("subject {subject:?} names no conversation")]
    Subject {
        /// The subject.
        subject: String,
    },
    /// The bytes are not JSON of the right shape.
    #[error("payload is not a valid {expected}: {source}")]
    Malformed {
        /// What the subject carries.
        expected: &'static str,
        /// What serde found.
        source: serde_json::Error,
    },
}

/// Writes `value` as JSON.
///
/// # Errors
/// [`serde_json::Error`] if the value has no JSON form (a map with keys that are not strings).
pub fn encode<T: Wire>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut bytes, value)?;
    Ok(bytes)
}

/// Reads a `T` from `payload`, whose header says `message_type`.
///
/// # Errors
/// [`DecodeError`] when the header names another type or the payload is malformed.
pub fn decode<T: Wire>(message_type: Option<&str>, payload: &[u8]) -> Result<T, DecodeError> {
    check_type::<T>(message_type)?;
    serde_json::from_slice(payload).map_err(|source| DecodeError::Malformed {
        expected: T::TYPE,
        source,
    })
}

/// Whether a header names a payload of type `T`.
///
/// # Errors
/// [`DecodeError::WrongType`] when it names another, or none.
pub fn check_type<T: Wire>(message_type: Option<&str>) -> Result<(), DecodeError> {
    if message_type == Some(T::TYPE) {
        return Ok(());
    }
    Err(DecodeError::WrongType {
        expected: T::TYPE,
        found: message_type.map(str::to_owned),
    })
}
