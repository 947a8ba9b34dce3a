//! Files in a bucket of S3, or of a server that speaks its protocol.

use std::error::Error;
use std::future::Future;
use std::ops::Range;
use std::time::Duration;

use bus::FileInfo;
use bytes::Bytes;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{Error as StoreError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};
use proto_schemas::ids::UnixMillis;

use crate::FileError;

/// The code of a bucket that is not there, which comes with the same status as that of a missing file.
const NO_BUCKET: &str = "NoSuchBucket";
const REFUSED: &str = "the file store refuses us: our credentials or their permissions are wrong";

/// A bucket, or the part of one below a prefix.
pub(crate) struct S3 {
    pub(crate) store: AmazonS3,
    /// What stands before every key; may be empty.
    pub(crate) prefix: String,
    /// How long one call may take, its repetitions included.
    pub(crate) timeout: Duration,
}

impl S3 {
    /// Stores a file, in place of what was there.
    pub(crate) async fn put(&self, key: &str, bytes: &Bytes) -> Result<(), FileError> {
        let path = self.path(key);
        self.in_time(key, self.store.put(&path, bytes.clone().into()))
            .await?;
        Ok(())
    }

    /// What is known of a file.
    pub(crate) async fn head(&self, key: &str) -> Result<FileInfo, FileError> {
        let path = self.path(key);
        let meta = self.in_time(key, self.store.head(&path)).await?;
        Ok(FileInfo {
            bytes: size(&meta),
            stored_at: UnixMillis(u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or_default()),
        })
    }

    /// Reads a file, or a part of it.
    pub(crate) async fn get(
        &self,
        key: &str,
        part: Option<Range<usize>>,
        most: usize,
    ) -> Result<Bytes, FileError> {
        let path = self.path(key);
        let range = part.map(|part| GetRange::Bounded(part.start as u64..part.end as u64));
        let options = GetOptions {
            range,
            ..GetOptions::default()
        };
        let read = async {
            let found = self.store.get_opts(&path, options).await?;
            let announced = usize::try_from(found.range.end - found.range.start).unwrap_or(usize::MAX);
            if announced > most {
                return Ok(Err(FileError::TooLarge {
                    bytes: announced,
                    most,
                }));
            }
            let bytes = found.bytes().await?;
            let is_whole = bytes.len() == announced;
            Ok(if is_whole {
                Ok(bytes)
            } else {
                Err(FileError::Incomplete)
            })
        };
        self.in_time(key, read).await?
    }

    async fn in_time<T>(
        &self,
        key: &str,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, FileError> {
        match tokio::time::timeout(self.timeout, call).await {
            Ok(answer) => answer.map_err(|error| failure(key, &error)),
            Err(_) => Err(FileError::Unavailable(
                "the file store took too long to answer".to_owned(),
            )),
        }
    }

    fn path(&self, key: &str) -> Path {
        Path::from(format!("{}/{key}", self.prefix))
    }
}

fn size(meta: &ObjectMeta) -> usize {
    usize::try_from(meta.size).unwrap_or(usize::MAX)
}

/// What went wrong, in words of our own: the store's answer repeats the access key, and the string that was signed.
fn failure(key: &str, error: &StoreError) -> FileError {
    let text = error.to_string();
    let code = code(&text);
    if matches!(error, StoreError::NotFound { .. }) && code != Some(NO_BUCKET) {
        return FileError::Missing { key: key.to_owned() };
    }
    let is_refusal = matches!(
        error,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. }
    );
    FileError::Unavailable(match (is_refusal, code) {
        (true, Some(code)) => format!("{REFUSED} ({code})"),
        (true, None) => REFUSED.to_owned(),
        (false, Some(code)) => format!("the file store cannot do it now ({code})"),
        (false, None) => match transport(error) {
            Some(cause) => format!("the file store cannot be reached: {cause}"),
            None => "the file store does not answer as it should".to_owned(),
        },
    })
}

/// The code in an answer of the store, one word.
fn code(answer: &str) -> Option<&str> {
    let (_, rest) = answer.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let is_word = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_word.then_some(code)
}

/// Why there was no answer, as our own client says it.
fn transport(error: &StoreError) -> Option<String> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(failed) = error.downcast_ref::<crate::connector::CallFailed>() {
            return Some(failed.to_string());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> FileError {
        let error = StoreError::PermissionDenied {
            path: "p".to_owned(),
            source: body.into(),
        };
        failure("k", &error)
    }

    #[test]
    fn an_answers_code_is_told_and_nothing_else_of_it() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>AKIA</AWSAccessKeyId></Error>";
        assert_eq!(
            refused(body).to_string(),
            format!("{REFUSED} (SignatureDoesNotMatch)")
        );
        for body in ["", "<Code>", "<Code></Code>", "<Code>AKIA 1</Code>"] {
            assert_eq!(refused(body).to_string(), REFUSED, "{body}");
        }
    }

    #[test]
    fn a_missing_bucket_is_no_missing_file() {
        let not_found = |body: &str| StoreError::NotFound {
            path: "p".to_owned(),
            source: body.into(),
        };
        let bucket = failure("k", &not_found("<Code>NoSuchBucket</Code>"));
        assert!(matches!(bucket, FileError::Unavailable(_)), "{bucket}");
        let file = failure("k", &not_found("<Code>NoSuchKey</Code>"));
        assert!(matches!(file, FileError::Missing { .. }), "{file}");
    }
}
