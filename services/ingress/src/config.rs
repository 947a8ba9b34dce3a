//! The service's own configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use files::FilesConfig;
use runtime::config::{FromEnvironment, Reader};

/// The smallest cap on a body that makes sense: a short message with its identifiers.
const LEAST_BODY_BYTES: u64 = 1024;
/// The largest: ample for every platform (`channels.md`, section 0.2), and what a message with its inline
/// files may weigh in memory.
const MOST_BODY_BYTES: u64 = 1024 * 1024;
/// The fastest limit per second; beyond it there is none worth the name.
const MOST_PER_SECOND: u64 = 100_000;
/// Bodies are held in memory: with this many at once and the default cap, 16 GiB.
const MOST_CONCURRENT_REQUESTS: u64 = 16_384;
/// The shortest lease that a busy broker does not end.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
/// The longest: Discord keeps a session without its reader for some minutes only.
const LONGEST_LEASE: Duration = Duration::from_secs(60);

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the platforms push to.
    pub http_listen: SocketAddr,
    /// The largest body that is read.
    pub max_body_bytes: usize,
    /// What one connection may push, at this replica.
    pub connection_rate: Rate,
    /// What one conversation may push, at this replica.
    pub conversation_rate: Rate,
    /// Messages of one conversation that may wait for an answer.
    pub conversation_backlog: u32,
    /// Messages, turns or deliveries that may lie untouched in the broker; with more, pushes are refused.
    pub pipeline_backlog: u64,
    /// Requests that are worked on at once; more are refused.
    pub max_concurrent_requests: usize,
    /// Where files are that come inside a push.
    pub files: FilesConfig,
    /// How long others leave a Gateway to a replica that gives no sign of life.
    pub gateway_lease: Duration,
}

/// How much may pass: so many per second on average, so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// On average.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

impl FromEnvironment for Config {
    fn read(reader: &mut Reader) -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        let bodies = LEAST_BODY_BYTES..=MOST_BODY_BYTES;
        Self {
            http_listen: reader.listen("HTTP_LISTEN", any, "Where the platforms push to."),
            max_body_bytes: size(reader.number(
                "MAX_BODY_BYTES",
                MOST_BODY_BYTES,
                bodies,
                "The largest body that is read; times MAX_CONCURRENT_REQUESTS it bounds memory.",
            )),
            connection_rate: Rate {
                per_second: rate(
                    reader,
                    "CONNECTION_RATE",
                    200,
                    "Pushes of a connection per second.",
                ),
                burst: rate(reader, "CONNECTION_BURST", 400, "Pushes of a connection at once."),
            },
            conversation_rate: Rate {
                per_second: rate(
                    reader,
                    "CONVERSATION_RATE",
                    5,
                    "Messages of a conversation per second.",
                ),
                burst: rate(
                    reader,
                    "CONVERSATION_BURST",
                    20,
                    "Messages of a conversation at once.",
                ),
            },
            conversation_backlog: u32::try_from(reader.number(
                "CONVERSATION_BACKLOG",
                20,
                1..=1000,
                "Messages of a conversation that may wait for an answer; more are refused with 429.",
            ))
            .unwrap_or(20),
            pipeline_backlog: reader.number(
                "PIPELINE_BACKLOG",
                5_000,
                100..=1_000_000,
                "Messages that no later service has taken up; with more, pushes are refused with 503.",
            ),
            max_concurrent_requests: size(reader.number(
                "MAX_CONCURRENT_REQUESTS",
                1024,
                1..=MOST_CONCURRENT_REQUESTS,
                "Requests worked on at once; more are refused with 503.",
            )),
            files: FilesConfig::read(reader),
            gateway_lease: reader.duration(
                "GATEWAY_LEASE",
                Duration::from_secs(15),
                SHORTEST_LEASE..=LONGEST_LEASE,
                "How long others leave a connection's Gateway to a replica that gives no sign of life.",
            ),
        }
    }
}

fn rate(reader: &mut Reader, key: &'static str, default: u64, help: &'static str) -> NonZeroU32 {
    let value = reader.number(key, default, 1..=MOST_PER_SECOND, help);
    u32::try_from(value)
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN)
}

fn size(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let owned = variables
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Config::from_variables(owned).map_err(|errors| errors.0)
    }

    #[test]
    fn an_empty_environment_gives_the_documented_defaults() {
        let config = read(&[]).unwrap();
        assert_eq!(config.max_body_bytes, 1024 * 1024);
        let shown = |rate: Rate| (rate.per_second.get(), rate.burst.get());
        assert_eq!(shown(config.connection_rate), (200, 400));
        assert_eq!(shown(config.conversation_rate), (5, 20));
        assert_eq!(
            (config.max_concurrent_requests, config.http_listen.port()),
            (1024, 8080)
        );
        assert_eq!(
            (config.conversation_backlog, config.pipeline_backlog),
            (20, 5_000)
        );
    }

    #[test]
    fn every_bound_is_enforced() {
        let outside = [
            ("MAX_BODY_BYTES", "1048577"),
            ("CONNECTION_RATE", "0"),
            ("CONNECTION_BURST", "100001"),
            ("CONVERSATION_RATE", "0"),
            ("CONVERSATION_BURST", "0"),
            ("CONVERSATION_BACKLOG", "0"),
            ("PIPELINE_BACKLOG", "99"),
            ("MAX_CONCURRENT_REQUESTS", "16385"),
            ("GATEWAY_LEASE", "61s"),
        ];
        let errors = read(&outside).unwrap_err();
        assert_eq!(errors.len(), outside.len(), "{errors:?}");
        assert!(read(&[("MAX_BODY_BYTES", "1023")]).is_err());
        assert!(read(&[("GATEWAY_LEASE", "999ms")]).is_err());
        let at_the_bounds = [("MAX_BODY_BYTES", "1024"), ("CONNECTION_RATE", "100000")];
        assert!(read(&at_the_bounds).is_ok());
    }
}
