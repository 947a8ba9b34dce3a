//! Files in the broker's object store.
//!
//! Reading goes by direct gets: the client's own `get` leaves a consumer behind for 30 s, and the server
//! allows 1,000 of them per stream.

use std::io::Cursor;

use async_nats::jetstream::object_store::ObjectMetadata;
use bytes::{Bytes, BytesMut};
use data_encoding::BASE64URL;
use proto_schemas::ids::UnixMillis;
use proto_schemas::topology::ATTACHMENTS;
use serde::Deserialize;

use crate::{Bus, BusError, Entry};

/// Large enough that a file is few messages, far below the server's `max_payload`.
const CHUNK_BYTES: usize = 128 * 1024;
/// How many chunks one read brings: 1 MiB.
const CHUNKS_PER_READ: usize = 8;

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

/// What is known of a file without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileInfo {
    /// Its size.
    pub bytes: usize,
    /// When it was stored last, from when on its life counts.
    pub stored_at: UnixMillis,
}

#[derive(Deserialize)]
struct Info {
    nuid: String,
    size: usize,
    #[serde(default)]
    deleted: bool,
}

impl Bus {
    /// Stores a file under a key, in place of what was there.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away.
    pub async fn store_file(&self, key: &str, bytes: &Bytes) -> Result<(), BusError> {
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
    pub async fn file(&self, key: &str, most: usize) -> Result<Bytes, ObjectError> {
        let stream = stream();
        let (_, info) = self.info(key).await?;
        if info.size > most {
            return Err(ObjectError::TooLarge {
                bytes: info.size,
                most,
            });
        }
        let chunks = chunks(&info);
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
        Ok(file.freeze())
    }

    /// What is known of a file.
    ///
    /// # Errors
    /// [`ObjectError::Missing`] when it is not there; [`ObjectError::Bus`] when the broker is away.
    pub async fn file_info(&self, key: &str) -> Result<FileInfo, ObjectError> {
        let (entry, info) = self.info(key).await?;
        Ok(FileInfo {
            bytes: info.size,
            // When nobody knows, it is stored again rather than too late.
            stored_at: entry.stored_millis().unwrap_or_default(),
        })
    }

    /// Removes a file; whether there was one. Its bytes go first, so that a removal that is cut off can be repeated.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away.
    pub async fn remove_file(&self, key: &str) -> Result<bool, BusError> {
        let info = match self.info(key).await {
            Ok((_, info)) => info,
            Err(ObjectError::Bus(error)) => return Err(error),
            Err(ObjectError::Missing { .. } | ObjectError::TooLarge { .. } | ObjectError::Incomplete) => {
                return Ok(false);
            }
        };
        self.purge(&stream(), &chunks(&info)).await?;
        self.purge(&stream(), &meta(key)).await?;
        Ok(true)
    }

    async fn info(&self, key: &str) -> Result<(Entry, Info), ObjectError> {
        let missing = || ObjectError::Missing { key: key.to_owned() };
        let entry = self.last(&stream(), &meta(key)).await?.ok_or_else(missing)?;
        let info: Info = serde_json::from_slice(&entry.payload).map_err(|_| ObjectError::Incomplete)?;
        if info.deleted {
            return Err(missing());
        }
        Ok((entry, info))
    }
}

/// Where a file's description lies.
fn meta(key: &str) -> String {
    format!("$O.{}.M.{}", ATTACHMENTS.name, BASE64URL.encode(key.as_bytes()))
}

/// Where its bytes lie.
fn chunks(info: &Info) -> String {
    format!("$O.{}.C.{}", ATTACHMENTS.name, info.nuid)
}

/// The stream behind the object store.
fn stream() -> String {
    format!("OBJ_{}", ATTACHMENTS.name)
}
