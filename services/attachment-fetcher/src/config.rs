//! The service's own configuration.

use std::net::{Ipv4Addr, SocketAddr};

use files::FilesConfig;
use runtime::config::{FromEnvironment, Reader};
use runtime::links::LinkConfig;
use runtime::outgoing::OutgoingConfig;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// The largest file that any configuration takes, and the largest that is served: what Telegram takes of a
/// bot (`channels.md`, section 0.1). Files are held in memory whole.
pub(crate) const MOST_FILE_BYTES: u64 = 50 * MIB;
/// As much as Telegram lets a bot fetch (`channels.md`, section 0.1).
const DEFAULT_FILE_BYTES: u64 = 20 * MIB;

/// What an operator may set.
///
/// Memory is bounded by `concurrency * max_file_bytes` for what is brought in, because the files of one fetch
/// are fetched one after another, and by `max_concurrent_reads` of the largest stored file for what is served,
/// because a file is held until it is sent.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where files are served.
    pub http_listen: SocketAddr,
    /// Fetches at once.
    pub concurrency: usize,
    /// The largest file that is brought in.
    pub max_file_bytes: u64,
    /// Files served at once.
    pub max_concurrent_reads: usize,
    /// Where files may be fetched from.
    pub outgoing: OutgoingConfig,
    /// How links are checked.
    pub links: LinkConfig,
    /// Where files are.
    pub files: FilesConfig,
}

impl FromEnvironment for Config {
    fn read(reader: &mut Reader) -> Self {
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        Self {
            http_listen: reader.listen("HTTP_LISTEN", any, "Where files are served."),
            concurrency: count(reader.number(
                "CONCURRENCY",
                8,
                1..=256,
                "Fetches at once; times MAX_FILE_BYTES it bounds memory.",
            )),
            max_file_bytes: reader.number(
                "MAX_FILE_BYTES",
                DEFAULT_FILE_BYTES,
                KIB..=MOST_FILE_BYTES,
                "The largest file that is brought in.",
            ),
            max_concurrent_reads: count(reader.number(
                "MAX_CONCURRENT_READS",
                32,
                1..=1024,
                "Files served at once; each is held in memory until it is sent.",
            )),
            outgoing: OutgoingConfig::read(reader),
            links: LinkConfig::read(reader),
            files: FilesConfig::read(reader),
        }
    }
}

fn count(value: u64) -> usize {
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
        assert_eq!((config.concurrency, config.max_file_bytes), (8, 20 * MIB));
        assert_eq!(
            (config.max_concurrent_reads, config.http_listen.port()),
            (32, 8080)
        );
    }

    #[test]
    fn every_bound_is_enforced() {
        let outside = [
            ("CONCURRENCY", "0"),
            ("MAX_FILE_BYTES", "1023"),
            ("MAX_CONCURRENT_READS", "0"),
        ];
        assert_eq!(read(&outside).unwrap_err().len(), outside.len());
        let above = [
            ("CONCURRENCY", "257"),
            ("MAX_FILE_BYTES", "52428801"),
            ("MAX_CONCURRENT_READS", "1025"),
        ];
        assert_eq!(read(&above).unwrap_err().len(), above.len());
        assert!(read(&[("MAX_FILE_BYTES", "52428800"), ("CONCURRENCY", "256")]).is_ok());
    }
}
