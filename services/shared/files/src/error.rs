//! Why a file cannot be had.

use bus::ObjectError;

/// Why a file cannot be had, or stored.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
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
    /// The store is away, too slow, or refuses what an operator can mend. Worth another try.
    #[error("{0}")]
    Unavailable(String),
}

impl From<ObjectError> for FileError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Missing { key } => Self::Missing { key },
            ObjectError::TooLarge { bytes, most } => Self::TooLarge { bytes, most },
            ObjectError::Incomplete => Self::Incomplete,
            ObjectError::Bus(error) => Self::Unavailable(error.to_string()),
        }
    }
}
