//! The service's own configuration.

use runtime::config::{FromEnvironment, Reader};
use runtime::links::LinkConfig;
use runtime::outgoing::OutgoingConfig;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Turns in work at once: calls in flight, and turns that wait for an integration's limit.
    pub concurrency: usize,
    /// Whether metrics tell integrations apart.
    pub label_integrations: bool,
    /// Where it may call.
    pub outgoing: OutgoingConfig,
    /// How links to files look.
    pub links: LinkConfig,
}

impl FromEnvironment for Config {
    fn read(reader: &mut Reader) -> Self {
        let concurrency = reader.number(
            "CONCURRENCY",
            20_000,
            1..=50_000,
            "Turns in work at once: calls in flight, and turns waiting for an integration's limit.",
        );
        Self {
            concurrency: usize::try_from(concurrency).unwrap_or(20_000),
            label_integrations: reader.choice(
                "METRICS_INTEGRATION_LABEL",
                "on",
                &["on", "off"],
                "Whether metrics tell integrations apart, up to 200 of them; the others share one series.",
            ) == "on",
            outgoing: OutgoingConfig::read(reader),
            links: LinkConfig::read(reader),
        }
    }
}
