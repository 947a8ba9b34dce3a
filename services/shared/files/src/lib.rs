//! Files, stored under keys that say what they hold: in the broker's object store, or in S3 where that is configured.
//!
//! Guarantees:
//! * a file that is stored outlives every context that names it, also when the same bytes were stored before;
//! * what the broker holds from before S3 was configured is still read;
//! * every call ends in time, and no error text holds a credential.
//!
//! No other crate names `object_store`.

mod config;
mod connector;
mod error;
mod s3;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, ObjectError};
use bytes::Bytes;
use domain::files::{content_key, is_content_key};
use proto_schemas::content::StoredFile;
use proto_schemas::ids::UnixMillis;
use runtime::clock;

pub use config::FilesConfig;
pub use error::FileError;
use s3::S3;

/// What was stored longer ago is stored again.
const STILL_YOUNG: Duration = Duration::from_secs(24 * 60 * 60);

/// The store of files. Cheap to clone.
#[derive(Clone)]
pub struct Files {
    bus: Bus,
    s3: Option<Arc<S3>>,
}

impl Files {
    /// Files in the broker's object store.
    pub fn in_broker(bus: Bus) -> Self {
        Self { bus, s3: None }
    }

    /// Stores a file and says how it is referred to. Bytes that were stored within a day are not
    /// stored again.
    ///
    /// # Errors
    /// [`FileError::Unavailable`] when the store is away or refuses; storing again is harmless.
    pub async fn store(
        &self,
        name: String,
        mime_type: String,
        bytes: &Bytes,
    ) -> Result<StoredFile, FileError> {
        let key = content_key(bytes);
        if self.should_store(&key).await? {
            match &self.s3 {
                Some(s3) => s3.put(&key, bytes).await?,
                None => self.bus.store_file(&key, bytes).await.map_err(ObjectError::Bus)?,
            }
        }
        Ok(StoredFile {
            key,
            name,
            mime_type,
            bytes: bytes.len() as u64,
        })
    }

    /// Reads a file of at most `most` bytes.
    ///
    /// # Errors
    /// [`FileError`] when it is not there, too large or not whole, or the store is away.
    pub async fn read(&self, key: &str, most: usize) -> Result<Bytes, FileError> {
        match self.in_s3(key) {
            Some(s3) => match s3.get(key, None, most).await {
                Err(FileError::Missing { .. }) => Ok(self.bus.file(key, most).await?),
                read => read,
            },
            None => Ok(self.bus.file(key, most).await?),
        }
    }

    /// Reads a part of a file, which must be within it and at most `most` bytes long. S3 sends the part alone; of what
    /// the broker holds, the whole file is read and may not be larger than `most`.
    ///
    /// # Errors
    /// As for [`Files::read`].
    pub async fn read_part(&self, key: &str, part: Range<usize>, most: usize) -> Result<Bytes, FileError> {
        if let Some(s3) = self.in_s3(key) {
            match s3.get(key, Some(part.clone()), most).await {
                Err(FileError::Missing { .. }) => {}
                read => return read,
            }
        }
        let whole = self.bus.file(key, most).await?;
        if part.start > part.end || part.end > whole.len() {
            return Err(FileError::Incomplete);
        }
        Ok(whole.slice(part))
    }

    /// The size of a file, in bytes.
    ///
    /// # Errors
    /// As for [`Files::read`].
    pub async fn size(&self, key: &str) -> Result<usize, FileError> {
        if let Some(s3) = self.in_s3(key) {
            match s3.head(key).await {
                Err(FileError::Missing { .. }) => {}
                found => return found.map(|found| found.bytes),
            }
        }
        Ok(self.bus.file_info(key).await?.bytes)
    }

    async fn should_store(&self, key: &str) -> Result<bool, FileError> {
        let found = match &self.s3 {
            Some(s3) => s3.head(key).await,
            None => self.bus.file_info(key).await.map_err(FileError::from),
        };
        match found {
            Ok(found) => Ok(!is_young(found.stored_at, clock::now())),
            Err(FileError::Missing { .. } | FileError::Incomplete) => Ok(true),
            Err(error @ (FileError::Unavailable(_) | FileError::TooLarge { .. })) => Err(error),
        }
    }

    /// S3, if the file may lie there: only what is stored by content does.
    fn in_s3(&self, key: &str) -> Option<&S3> {
        self.s3.as_deref().filter(|_| is_content_key(key))
    }
}

fn is_young(stored_at: UnixMillis, now: UnixMillis) -> bool {
    now.since(stored_at) < STILL_YOUNG
}

#[cfg(test)]
mod tests {
    use proto_schemas::topology::{ATTACHMENTS, CONTEXTS};

    use super::*;

    #[test]
    fn what_would_not_outlive_a_context_is_stored_again() {
        let stored_at = UnixMillis(1_000);
        let at = |age: Duration| UnixMillis(stored_at.0 + u64::try_from(age.as_millis()).unwrap());
        let instant = Duration::from_millis(1);
        assert!(is_young(stored_at, at(STILL_YOUNG - instant)));
        assert!(!is_young(stored_at, at(STILL_YOUNG)));
        let contexts = CONTEXTS.ttl.unwrap();
        assert!(
            ATTACHMENTS.ttl - STILL_YOUNG >= contexts,
            "a context outlives its files"
        );
    }
}
