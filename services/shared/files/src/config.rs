//! Configuration of where files are, the same for every service that touches them.

mod s3;

use std::sync::Arc;

use bus::Bus;
use runtime::StartError;
use runtime::config::Reader;

use self::s3::S3Config;
use crate::Files;

/// Where files are.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// None for the broker's object store. Boxed, as most have none.
    s3: Option<Box<S3Config>>,
}

impl FilesConfig {
    /// Reads the keys. Those of S3 count only where `FILES` says so.
    pub fn read(reader: &mut Reader) -> Self {
        let kind = reader.choice(
            "FILES",
            "nats",
            &["nats", "s3"],
            "Where files are: in the broker's object store, or in S3.",
        );
        let s3 = S3Config::read(reader, kind == "s3");
        Self {
            s3: (kind == "s3").then(|| Box::new(s3)),
        }
    }

    /// Opens the store. Asks nothing of it: one that is away is waited for by the work that needs it.
    ///
    /// # Errors
    /// [`StartError::Other`] when a secret or the certificates cannot be read.
    pub fn open(&self, bus: Bus) -> Result<Files, StartError> {
        let s3 = self.s3.as_deref().map(S3Config::open).transpose()?;
        Ok(Files {
            bus,
            s3: s3.map(Arc::new),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(variables: &[(&str, &str)]) -> Reader {
        let owned = variables
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Reader::new(owned)
    }

    fn errors(variables: &[(&str, &str)]) -> Vec<String> {
        let mut reader = reader(variables);
        FilesConfig::read(&mut reader);
        reader.finish().map_or_else(|errors| errors.0, |()| Vec::new())
    }

    #[test]
    fn an_empty_environment_means_the_broker() {
        let mut reader = reader(&[]);
        assert!(FilesConfig::read(&mut reader).s3.is_none());
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn everything_that_is_wrong_with_s3_is_said_at_once() {
        let wrong = [
            ("FILES", "s3"),
            ("FILES_S3_ENDPOINT", "ftp://files.example"),
            ("FILES_S3_REGION", "no region"),
            ("FILES_S3_PREFIX", "a b"),
            ("FILES_S3_ACCESS_KEY", "AKIAIOSFODNN7EXAMPLE"),
            ("FILES_S3_SECRET_KEY", "wJalrXUtnFEMI"),
            ("FILES_S3_TIMEOUT", "999ms"),
        ];
        let errors = errors(&wrong);
        let named: Vec<_> = errors
            .iter()
            .map(|error| error.split(':').next().unwrap())
            .collect();
        assert_eq!(
            named,
            [
                "FILES_S3_BUCKET",
                "FILES_S3_ENDPOINT",
                "FILES_S3_REGION",
                "FILES_S3_PREFIX",
                "FILES_S3_ACCESS_KEY",
                "FILES_S3_SECRET_KEY",
                "FILES_S3_TIMEOUT",
            ]
        );
        let text = errors.join("\n");
        assert!(!text.contains("AKIA") && !text.contains("wJalr"), "{text}");
    }

    #[test]
    fn a_store_that_is_neither_is_refused() {
        assert_eq!(
            errors(&[("FILES", "disk")]),
            ["FILES: \"disk\" must be one of nats, s3"]
        );
        assert_eq!(errors(&[("FILES", "nats"), ("FILES_S3_BUCKET", "?")]), [""; 0]);
    }
}
