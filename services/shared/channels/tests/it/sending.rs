//! What tests of sending share.

use channels::{OutgoingFile, SendError, Sent};
use proto_schemas::content::StoredFile;

/// What became of a part, in a word or two.
pub(crate) fn class(outcome: Result<Sent, SendError>) -> String {
    match outcome {
        Ok(sent) => format!("sent {}", sent.platform_message_id),
        Err(SendError::RateLimited { retry_after, .. }) => format!("wait {}", retry_after.as_secs_f64()),
        Err(SendError::Transient { class, .. }) => format!("transient {class}"),
        Err(SendError::Permanent { class, .. }) => format!("permanent {class}"),
    }
}

/// A file of five bytes that is to be sent.
pub(crate) fn outgoing(name: &str, mime_type: &str) -> OutgoingFile {
    let stored = StoredFile {
        key: "k".to_owned(),
        name: name.to_owned(),
        mime_type: mime_type.to_owned(),
        bytes: 5,
    };
    OutgoingFile {
        name: name.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        url: None,
        stored: Some(stored),
    }
}
