//! The service's own configuration.

use std::time::Duration;

use domain::retry::Budget;
use files::FilesConfig;
use runtime::config::{FromEnvironment, Reader};
use runtime::links::LinkConfig;
use runtime::outgoing::OutgoingConfig;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Deliveries in work at once, over all connections.
    pub concurrency: usize,
    /// How long a part is tried.
    pub budget: Budget,
    /// Where it may call.
    pub outgoing: OutgoingConfig,
    /// How links to files look.
    pub links: LinkConfig,
    /// Where files are.
    pub files: FilesConfig,
}

impl FromEnvironment for Config {
    fn read(reader: &mut Reader) -> Self {
        let concurrency = reader.number(
            "CONCURRENCY",
            1024,
            1..=50_000,
            "Deliveries in work at once, over all connections.",
        );
        let attempts = reader.number(
            "SEND_ATTEMPTS",
            10,
            1..=1000,
            "A part is tried at least so often.",
        );
        let max_age = reader.duration(
            "SEND_MAX_AGE",
            Duration::from_secs(60 * 60),
            Duration::ZERO..=Duration::from_secs(24 * 60 * 60),
            "A part is tried at least so long since the answer was committed.",
        );
        Self {
            concurrency: usize::try_from(concurrency).unwrap_or(1024),
            budget: Budget {
                attempts: u32::try_from(attempts).unwrap_or(10),
                max_age,
            },
            outgoing: OutgoingConfig::read(reader),
            links: LinkConfig::read(reader),
            files: FilesConfig::read(reader),
        }
    }
}
