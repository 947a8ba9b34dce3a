//! Logs: JSON for machines, pretty for people.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::config::Reader;

/// How to log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    json: bool,
    level: String,
}

impl LogConfig {
    /// Reads the keys.
    pub fn read(reader: &mut Reader) -> Self {
        let format = reader.choice("LOG_FORMAT", "json", &["json", "pretty"], "How log lines look.");
        let level = reader.text(
            "LOG_LEVEL",
            "info",
            "What is logged, as `info` or `info,bus=debug`.",
        );
        if EnvFilter::try_new(&level).is_err() {
            reader.error(format!(
                "LOG_LEVEL: {level:?} must be a level or a list as `info,bus=debug`"
            ));
        }
        Self {
            json: format == "json",
            level,
        }
    }

    /// Pretty logs of a level, for the command line.
    pub fn pretty(level: &str) -> Self {
        Self {
            json: false,
            level: level.to_owned(),
        }
    }
}

/// What is logged at any level: what operators do.
const AUDIT: &str = "audit=info";

/// Starts logging to standard error. The first call in a process wins.
pub fn start(config: &LogConfig) {
    let filter = EnvFilter::try_new(&config.level).unwrap_or_else(|_| EnvFilter::new("info"));
    // Who changed what is no matter of taste.
    let filter = match AUDIT.parse() {
        Ok(always) => filter.add_directive(always),
        Err(_) => filter,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = if config.json {
        builder
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .try_init()
    } else {
        builder.with_target(false).try_init()
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}
