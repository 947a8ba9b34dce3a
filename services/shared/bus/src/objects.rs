//! Files in the broker's object store.
//!
//! Reading goes by direct gets: the client's own `get` leaves a consumer behind for 30 s, and the server
//! allows 1,000 of them per stream.

use std::collections::HashMap;
use std::io::Cursor;

use async_nats::jetstream::object_store::ObjectMetadata;
use bytes::{Bytes, BytesMut};
use data_encoding::BASE64URL;
use proto_schemas::topology::ATTACHMENTS;
use serde::Deserialize;

use crate::{Bus, BusError};

/// Large enough that a file is few messages, far below the server's `max_payload`.
const CHUNK_BYTES: usize = 128 * 1024;
/// How many chunks one read brings: 1 MiB.
const CHUNKS_PER_READ: usize = 8;
/// Key of the media type in an object's metadata.
const MIME_TYPE: &str = "mime-type";
const UNKNOWN_TYPE: &str = "application/octet-stream";

/// Why a file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// There is no such file, or it has expired.
    #[error("there is no file {key:?}")]
    Missing {
        /// Its key.
        key: String,
    },
    /// It is larger than the caller takes.
    #[error("the file has {bytes} bytes, more than {most}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What the caller takes.
        most: usize,
    },
    /// Parts of it are gone or it is being replaced.
    #[error("the file is not whole")]
    Incomplete,
    /// The broker.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// A file and what it is said to be.
#[derive(Debug, Clone)]
pub struct StoredBytes {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its media type, as it was stored.
    pub mime_type: String,
}

#[derive(Deserialize)]
struct Info {
    nuid: String,
    size: usize,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    metadata: HashMap<String, String>,
}

impl Bus {
    /// Stores a file under a key, in place of what was there.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away.
    pub async fn store_file(&self, key: &str, mime_type: &str, bytes: &Bytes) -> Result<(), BusError> {
        self.check_connected()?;
        let unavailable = |error: &dyn std::error::Error| BusError::Unavailable(error.to_string());
        let store = self
            .jetstream
            .get_object_store(ATTACHMENTS.name)
            .await
            .map_err(|error| unavailable(&error))?;
        let metadata = ObjectMetadata {
            name: key.to_owned(),
            chunk_size: Some(CHUNK_BYTES),
            metadata: HashMap::from([(MIME_TYPE.to_owned(), mime_type.to_owned())]),
            ..Default::default()
        };
        // A cursor fills the whole buffer at each read; the client makes one message of each.
        store
            .put(metadata, &mut Cursor::new(bytes))
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(())
    }

    /// Reads a file of at most `most` bytes.
    ///
    /// # Errors
    /// [`ObjectError`] when it is not there, too large or not whole.
    pub async fn file(&self, key: &str, most: usize) -> Result<StoredBytes, ObjectError> {
        let stream = format!("OBJ_{}", ATTACHMENTS.name);
        let missing = || ObjectError::Missing { key: key.to_owned() };
        let subject = format!("$O.{}.M.{}", ATTACHMENTS.name, BASE64URL.encode(key.as_bytes()));
        let entry = self.last(&stream, &subject).await?.ok_or_else(missing)?;
        let info: Info = serde_json::from_slice(&entry.payload).map_err(|_| ObjectError::Incomplete)?;
        if info.deleted {
            return Err(missing());
        }
        if info.size > most {
            return Err(ObjectError::TooLarge {
                bytes: info.size,
                most,
            });
        }
        let chunks = format!("$O.{}.C.{}", ATTACHMENTS.name, info.nuid);
        let mut file = BytesMut::with_capacity(info.size);
        let mut from = 1;
        while file.len() < info.size {
            let read = self
                .entries(
                    &stream,
                    &chunks,
                    from,
                    CHUNKS_PER_READ,
                    CHUNKS_PER_READ * CHUNK_BYTES,
                )
                .await?;
            let Some(last) = read.list.last() else {
                return Err(ObjectError::Incomplete);
            };
            from = last.sequence + 1;
            for chunk in &read.list {
                file.extend_from_slice(&chunk.payload);
            }
        }
        if file.len() != info.size {
            return Err(ObjectError::Incomplete);
        }
        let mime_type = info
            .metadata
            .get(MIME_TYPE)
            .cloned()
            .unwrap_or_else(|| UNKNOWN_TYPE.to_owned());
        Ok(StoredBytes {
            bytes: file.freeze(),
            mime_type,
        })
    }
}
