//! Reads a response up to a limit.

use bytes::{Bytes, BytesMut};
use reqwest::Response;

use crate::failure::{CallFailure, call_class, error_text};

/// Why a body cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is larger than the caller wants. Never worth a retry: the same answer would come again.
    #[error("the response is larger than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// It broke off, took too long or cannot be decoded.
    #[error("the response cannot be read: {detail}")]
    Failed {
        /// The class.
        class: CallFailure,
        /// The error in words, without a URL.
        detail: String,
    },
}

/// Reads a body of at most `max_bytes` *decoded* bytes, and reads no further when there is more: neither a
/// compressed bomb nor an endless body costs memory. The deadline is the one set on the request.
///
/// # Errors
/// [`ReadError`] when the body is larger or does not arrive whole.
pub async fn read_capped(mut response: Response, max_bytes: usize) -> Result<Bytes, ReadError> {
    let too_large = ReadError::TooLarge { max_bytes };
    if response
        .content_length()
        .is_some_and(|announced| announced > max_bytes as u64)
    {
        return Err(too_large);
    }
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > max_bytes => return Err(too_large),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(body.freeze()),
            Err(error) => {
                return Err(ReadError::Failed {
                    class: call_class(&error),
                    detail: error_text(error),
                });
            }
        }
    }
}
