//! The service's own configuration.

use runtime::config::{FromEnvironment, Reader};

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Events of each of the two consumers handled at once.
    pub concurrency: usize,
}

impl FromEnvironment for Config {
    fn read(reader: &mut Reader) -> Self {
        let concurrency = reader.number(
            "CONCURRENCY",
            64,
            1..=4096,
            "Events of each consumer handled at once.",
        );
        Self {
            concurrency: usize::try_from(concurrency).unwrap_or(64),
        }
    }
}
