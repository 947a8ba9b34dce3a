//! The bucket's part of the configuration.

use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::{BackoffConfig, RetryConfig};
use outbound::{Client, Policy};
use registry::{Secret, SecretRef};
use runtime::StartError;
use runtime::config::Reader;
use url::Url;

use crate::connector::Connector;
use crate::s3::S3;

/// How often a call is repeated at once when S3 asks to slow down or a connection breaks. What fails still is tried
/// again with the work that it belongs to.
const REPETITIONS: usize = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Lengths that S3 allows for the name of a bucket, in characters.
const BUCKET_CHARS: std::ops::RangeInclusive<usize> = 3..=63;

/// How to reach a bucket.
#[derive(Debug, Clone)]
pub(super) struct S3Config {
    bucket: String,
    endpoint: Option<Url>,
    region: String,
    prefix: String,
    access_key: Option<SecretRef>,
    secret_key: Option<SecretRef>,
    roots_file: Option<String>,
    timeout: Duration,
}

impl S3Config {
    /// Reads the keys, and checks them where they count.
    pub(super) fn read(reader: &mut Reader, counts: bool) -> Self {
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

    /// Reads the secrets and makes the client; asks nothing of the server.
    pub(super) fn open(&self) -> Result<S3, StartError> {
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
        tracing::info!(
            bucket = self.bucket,
            endpoint,
            prefix = self.prefix,
            "files are in S3"
        );
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

/// A policy with an exception for the bucket's server: Amazon's, too, has a private address inside a network of theirs.
fn only(endpoint: &str) -> Result<Policy, StartError> {
    let refused = |problem: String| StartError::Other(format!("FILES_S3_ENDPOINT: {problem}"));
    let server = Url::parse(endpoint).map_err(|error| refused(error.to_string()))?;
    Policy::with_server(&server).map_err(|problems| refused(problems.join(", ")))
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

    #[test]
    fn without_an_endpoint_it_is_amazons_of_the_region() {
        let region = ("FILES_S3_REGION".to_owned(), "eu-central-1".to_owned());
        let config = S3Config::read(&mut Reader::new([region]), false);
        assert_eq!(config.endpoint(), "https://s3.eu-central-1.amazonaws.com");
    }

    #[test]
    fn one_server_may_be_private_and_without_tls() {
        for endpoint in [
            "http://minio:9000/",
            "http://10.0.0.1:9000/",
            "http://[::1]:9000/",
        ] {
            let policy = only(endpoint).unwrap();
            assert_eq!(policy.check(&Url::parse(endpoint).unwrap()), Ok(()), "{endpoint}");
            let another = Url::parse("http://10.0.0.2:9000/").unwrap();
            assert!(policy.check(&another).is_err(), "{endpoint}");
        }
    }
}
