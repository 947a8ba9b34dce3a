//! Configuration of where files are, the same for every service that touches them.

use std::sync::Arc;
use std::time::Duration;

use bus::Bus;
use object_store::aws::AmazonS3Builder;
use object_store::{BackoffConfig, RetryConfig};
use outbound::{Client, Policy};
use registry::{Secret, SecretRef};
use runtime::StartError;
use runtime::config::Reader;
use url::{Host, Url};

use crate::Files;
use crate::connector::Connector;
use crate::s3::S3;

/// How often a call is repeated at once when S3 asks to slow down or a connection breaks. What fails still is tried
/// again with the work that it belongs to.
const REPETITIONS: usize = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Lengths that S3 allows for the name of a bucket, in characters.
const BUCKET_CHARS: std::ops::RangeInclusive<usize> = 3..=63;

/// Where files are.
#[derive(Debug, Clone)]
pub struct FilesConfig {
    /// None for the broker's object store. Boxed, as most have none.
    s3: Option<Box<S3Config>>,
}

#[derive(Debug, Clone)]
struct S3Config {
    bucket: String,
    endpoint: Option<Url>,
    region: String,
    prefix: String,
    access_key: Option<SecretRef>,
    secret_key: Option<SecretRef>,
    roots_file: Option<String>,
    timeout: Duration,
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

impl S3Config {
    fn read(reader: &mut Reader, counts: bool) -> Self {
        let bucket = reader.text("FILES_S3_BUCKET", "", "S3: the bucket.");
        if counts && !is_bucket(&bucket) {
            reader.error(format!(
                "FILES_S3_BUCKET: {bucket:?} must be 3 to 63 small letters, digits, dots and dashes"
            ));
        }
        let endpoint = reader.optional(
            "FILES_S3_ENDPOINT",
            "S3: the address of a server other than Amazon's, as https://s3.example.com; http is allowed.",
        );
        let endpoint = endpoint.and_then(|text| {
            let url = server(&text);
            if url.is_none() && counts {
                reader.error(format!(
                    "FILES_S3_ENDPOINT: {:?} must be an address as https://s3.example.com",
                    runtime::config::without_password(&text)
                ));
            }
            url
        });
        let region = reader.text("FILES_S3_REGION", "us-east-1", "S3: the bucket's region.");
        if counts && !is_plain(&region, "-") {
            reader.error(format!(
                "FILES_S3_REGION: {region:?} must be letters, digits and dashes"
            ));
        }
        let prefix = reader.text(
            "FILES_S3_PREFIX",
            "",
            "S3: what stands before every key, as chatbot/files.",
        );
        if counts && !prefix.is_empty() && !is_plain(&prefix, "-_/") {
            reader.error(format!(
                "FILES_S3_PREFIX: {prefix:?} must be letters, digits, dashes, underscores and slashes"
            ));
        }
        Self {
            bucket,
            endpoint,
            region,
            prefix: prefix.trim_matches('/').to_owned(),
            access_key: secret(
                reader,
                "FILES_S3_ACCESS_KEY",
                "env:AWS_ACCESS_KEY_ID",
                "S3: reference to the access key's id, as env:NAME or file:PATH.",
            ),
            secret_key: secret(
                reader,
                "FILES_S3_SECRET_KEY",
                "env:AWS_SECRET_ACCESS_KEY",
                "S3: reference to the secret access key, as env:NAME or file:PATH.",
            ),
            roots_file: reader.optional(
                "FILES_S3_CA_FILE",
                "S3: certificates (PEM) to trust besides the system's.",
            ),
            timeout: reader.duration(
                "FILES_S3_TIMEOUT",
                Duration::from_secs(30),
                Duration::from_secs(1)..=Duration::from_secs(300),
                "S3: how long storing or reading a file may take.",
            ),
        }
    }

    fn open(&self) -> Result<S3, StartError> {
        let roots = self.roots_file.as_ref().map(std::fs::read).transpose()?;
        let endpoint = self.endpoint();
        let other = |error: &dyn std::fmt::Display| StartError::Other(error.to_string());
        let client = Client::new(only(&endpoint)?, roots.as_deref()).map_err(|error| other(&error))?;
        let store = AmazonS3Builder::new()
            .with_endpoint(endpoint.trim_end_matches('/'))
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_access_key_id(resolved(self.access_key.as_ref())?.expose())
            .with_secret_access_key(resolved(self.secret_key.as_ref())?.expose())
            .with_http_connector(Connector(client))
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: FIRST_PAUSE,
                    max_backoff: LONGEST_PAUSE,
                    base: 2.0,
                },
                max_retries: REPETITIONS,
                retry_timeout: self.timeout,
            })
            .build()
            .map_err(|_| StartError::Other("the S3 client cannot be built".to_owned()))?;
        Ok(S3 {
            store,
            prefix: self.prefix.clone(),
            timeout: self.timeout,
        })
    }

    fn endpoint(&self) -> String {
        match &self.endpoint {
            Some(url) => url.to_string(),
            None => format!("https://s3.{}.amazonaws.com", self.region),
        }
    }
}

/// A policy that makes an exception for one server: an operator's own may have a private address and no TLS, and
/// Amazon's has a private address inside a network of theirs.
fn only(endpoint: &str) -> Result<Policy, StartError> {
    let url = Url::parse(endpoint).ok();
    let host = url.as_ref().and_then(Url::host).map(|host| match host {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    });
    let allowed: Vec<String> = host.into_iter().collect();
    Policy::new(&allowed)
        .map_err(|problems| StartError::Other(format!("FILES_S3_ENDPOINT: {}", problems.join(", "))))
}

fn secret(reader: &mut Reader, key: &'static str, default: &str, help: &'static str) -> Option<SecretRef> {
    let reference = SecretRef::try_from(reader.text(key, default, help));
    reference
        .map_err(|error| reader.error(format!("{key}: {error}")))
        .ok()
}

fn resolved(reference: Option<&SecretRef>) -> Result<Secret, StartError> {
    let reference = reference.ok_or_else(|| StartError::Other("a secret of S3 is missing".to_owned()))?;
    reference
        .resolve()
        .map_err(|error| StartError::Other(error.to_string()))
}

/// A server's address: scheme, host, perhaps a port, and nothing else.
fn server(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_bare && is_anonymous && is_http).then_some(url)
}

fn is_bucket(name: &str) -> bool {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
    BUCKET_CHARS.contains(&name.len()) && name.bytes().all(is_allowed)
}

fn is_plain(text: &str, besides: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || besides.contains(c);
    !text.is_empty() && text.chars().all(is_allowed)
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

    #[test]
    fn buckets_and_servers_are_checked_at_their_bounds() {
        let long = "a".repeat(63);
        for bucket in ["abc", &long, "files.example-1"] {
            assert!(is_bucket(bucket), "{bucket}");
        }
        for bucket in ["", "ab", &format!("{long}a"), "Files", "a/b"] {
            assert!(!is_bucket(bucket), "{bucket}");
        }
        for address in [
            "http://minio:9000",
            "https://s3.example.com/",
            "http://[::1]:9000",
        ] {
            assert!(server(address).is_some(), "{address}");
        }
        for address in [
            "minio:9000",
            "https://a/b",
            "https://a?b",
            "https://u:p@a",
            "s3://a",
        ] {
            assert!(server(address).is_none(), "{address}");
        }
    }
}
