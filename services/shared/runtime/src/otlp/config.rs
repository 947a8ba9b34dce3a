//! Configuration of the export, by OpenTelemetry's standard variables.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use outbound::{Client, ClientError, Policy};
use percent_encoding::percent_decode_str;
use registry::Secret;
use url::Url;

use crate::StartError;
use crate::config::{Reader, without_password};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// Where a collector takes spans, below its address.
const TRACES_PATH: &str = "/v1/traces";

/// Whether, where and how much is exported.
#[derive(Debug, Clone)]
pub struct OtlpConfig {
    endpoint: Option<Url>,
    /// Marked as sensitive: they are not shown.
    headers: HeaderMap,
    roots_file: Option<String>,
    share: f64,
}

/// A collector, and how to reach it.
pub(super) struct Collector {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) client: Client,
}

impl OtlpConfig {
    /// Reads the keys.
    pub fn read(reader: &mut Reader) -> Self {
        let endpoint = reader.optional(
            ENDPOINT,
            "The OpenTelemetry collector that gets spans by OTLP over HTTP, as http://collector:4318; empty exports none.",
        );
        let endpoint = endpoint.and_then(|text| {
            let url = traces_of(&text);
            if url.is_none() {
                let shown = without_password(&text);
                reader.error(format!(
                    "{ENDPOINT}: {shown:?} must be an address as http://collector:4318, without credentials"
                ));
            }
            url
        });
        let headers = reader.secret(
            HEADERS,
            "Headers for the collector, as name=value,name=value with values percent-encoded; a secret.",
        );
        let headers = headers.map_or_else(|| Some(HeaderMap::new()), |headers| parse(&headers));
        if headers.is_none() {
            reader.error(format!(
                "{HEADERS}: must be headers as name=value, separated by commas"
            ));
        }
        Self {
            endpoint,
            headers: headers.unwrap_or_default(),
            roots_file: reader.optional(
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                "Certificates (PEM) to trust besides the system's, for the collector.",
            ),
            share: reader.share(
                "OTEL_TRACES_SAMPLER_ARG",
                1.0,
                "The share of traces that begin here and are exported; one that a push brings says so itself.",
            ),
        }
    }

    /// The share of traces that is exported.
    pub(super) fn share(&self) -> f64 {
        self.share
    }

    /// The collector, if there is one.
    pub(super) fn collector(&self) -> Result<Option<Collector>, StartError> {
        let Some(url) = &self.endpoint else {
            return Ok(None);
        };
        let roots = self.roots_file.as_ref().map(std::fs::read).transpose()?;
        let policy = Policy::with_server(url)
            .map_err(|problems| StartError::Other(format!("{ENDPOINT}: {}", problems.join(", "))))?;
        let client = Client::new(policy, roots.as_deref())
            .map_err(|error: ClientError| StartError::Other(error.to_string()))?;
        tracing::info!(
            collector = url.host_str(),
            share = self.share,
            "spans are exported"
        );
        Ok(Some(Collector {
            url: url.clone(),
            headers: self.headers.clone(),
            client,
        }))
    }
}

/// Where a collector with this address takes spans.
fn traces_of(endpoint: &str) -> Option<Url> {
    let mut url = Url::parse(endpoint).ok()?;
    let is_plain = url.query().is_none() && url.fragment().is_none();
    let is_anonymous = url.username().is_empty() && url.password().is_none();
    let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
    let path = format!("{}{TRACES_PATH}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    (is_plain && is_anonymous && is_http).then_some(url)
}

/// Reads `name=value,name=value`, the values percent-encoded.
fn parse(headers: &Secret) -> Option<HeaderMap> {
    let pairs = headers.expose().split(',').map(str::trim);
    pairs
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<OtlpConfig, Vec<String>> {
        let owned = variables
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(owned);
        let config = OtlpConfig::read(&mut reader);
        reader.finish().map(|()| config).map_err(|errors| errors.0)
    }

    #[test]
    fn an_empty_environment_exports_nothing() {
        let config = read(&[]).unwrap();
        assert!(config.collector().unwrap().is_none());
    }

    #[test]
    fn spans_go_below_the_collectors_address() {
        for (endpoint, url) in [
            ("http://collector:4318", "http://collector:4318/v1/traces"),
            (
                "https://otel.example/otlp/",
                "https://otel.example/otlp/v1/traces",
            ),
            ("http://[::1]:4318/", "http://[::1]:4318/v1/traces"),
        ] {
            let collector = read(&[(ENDPOINT, endpoint)]).unwrap().collector().unwrap();
            assert_eq!(collector.unwrap().url.as_str(), url);
        }
    }

    #[test]
    fn headers_are_decoded_and_not_shown() {
        let config = read(&[(HEADERS, "x-api-key=a%20b, Authorization=Basic%20cw==")]).unwrap();
        assert_eq!(config.headers["x-api-key"], "a b");
        assert_eq!(config.headers["authorization"], "Basic cw==");
        assert!(!format!("{config:?}").contains("a b"));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let errors = read(&[
            (ENDPOINT, "http://me:s3cret@collector:4318"),
            (HEADERS, "x-api-key s3cret"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ])
        .unwrap_err();
        let named: Vec<_> = errors
            .iter()
            .map(|error| error.split(':').next().unwrap())
            .collect();
        assert_eq!(named, [ENDPOINT, HEADERS, "OTEL_TRACES_SAMPLER_ARG"]);
        assert!(!errors.join("").contains("s3cret"), "{errors:?}");
        for endpoint in ["collector:4318", "ftp://collector", "http://collector/?key=1"] {
            assert!(read(&[(ENDPOINT, endpoint)]).is_err(), "{endpoint}");
        }
    }
}
