//! The one pooled HTTP client of a process.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, redirect, retry};
use rustls::ClientConfig;
use rustls::client::Resumption;
use url::Url;

use crate::policy::{Denied, Policy};
use crate::resolver::PolicyResolver;
use crate::stopwatch::{Connecting, Handshaking, Stopwatch};
use crate::{error_text, tls};

/// How long resolving, connecting and TLS may take together. A peer that needs longer is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections kept for one host: as many as an integration has calls in flight by default, so that a
/// busy one keeps its connections, and a burst to many hosts does not keep thousands.
const IDLE_PER_HOST: usize = 256;
/// How long an idle connection is kept: below the minute after which load balancers cut silently.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// What we call ourselves; some receivers refuse requests without a name.
const USER_AGENT: &str = concat!("chatbot-platform/", env!("CARGO_PKG_VERSION"));

/// An HTTP client under a policy. Clones share connections; make one for the process, never one per call.
///
/// Speaks HTTP/1.1 only, verifies certificates against the system's roots, follows no redirect, uses no
/// proxy, sends nothing twice of its own accord. It sets no total deadline: the caller sets one by
/// [`RequestBuilder::timeout`], and it then covers connecting, headers and body.
#[derive(Debug, Clone)]
pub struct Client {
    policy: Policy,
    tls: ClientConfig,
    http: reqwest::Client,
    stopwatch: Option<Arc<Stopwatch>>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The extra root certificates cannot be used.
    #[error("the extra root certificates cannot be read: {0}")]
    Roots(String),
    /// A client certificate cannot be used.
    #[error("the client certificate cannot be read: {0}")]
    Identity(String),
    /// TLS cannot be set up, as when the system has no root certificates.
    #[error("the HTTP client cannot be built: {0}")]
    Build(String),
}

impl Client {
    /// Builds the client. `extra_roots_pem` holds certificates that are trusted besides the system's.
    ///
    /// # Errors
    /// [`ClientError`] when the extra roots are no certificates or TLS cannot be set up.
    pub fn new(policy: Policy, extra_roots_pem: Option<&[u8]>) -> Result<Self, ClientError> {
        Self::build(policy, tls::config(extra_roots_pem)?, None)
    }

    /// A client that shows a certificate to servers that ask for one (mTLS). `pem` holds the certificate, those
    /// between it and its root, and the private key. Shares no connection with this one.
    ///
    /// # Errors
    /// [`ClientError`] when `pem` holds no certificate with its key.
    pub fn with_certificate(&self, pem: &[u8]) -> Result<Self, ClientError> {
        let tls = tls::with_certificate(&self.tls, pem)?;
        Self::build(self.policy.clone(), tls, None)
    }

    /// The same client with no connection yet, for one call whose parts are to be measured.
    ///
    /// # Errors
    /// [`ClientError`] when TLS cannot be set up.
    pub fn with_stopwatch(&self, stopwatch: Arc<Stopwatch>) -> Result<Self, ClientError> {
        let mut tls = self.tls.clone();
        tls.resumption = Resumption::store(Arc::new(Handshaking(Arc::clone(&stopwatch))));
        Self::build(self.policy.clone(), tls, Some(stopwatch))
    }

    fn build(
        policy: Policy,
        tls: ClientConfig,
        stopwatch: Option<Arc<Stopwatch>>,
    ) -> Result<Self, ClientError> {
        let mut builder = reqwest::Client::builder()
            .http1_only()
            // Names of headers mean the same in any case, but not to every old server.
            .http1_title_case_headers()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            .gzip(true)
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tls_backend_preconfigured(tls.clone())
            .dns_resolver(PolicyResolver::new(policy.clone(), stopwatch.clone()));
        if let Some(stopwatch) = &stopwatch {
            builder = builder.connector_layer(Connecting(Arc::clone(stopwatch)));
        }
        let http = builder
            .build()
            .map_err(|error| ClientError::Build(error_text(error)))?;
        Ok(Self {
            policy,
            tls,
            http,
            stopwatch,
        })
    }

    /// Begins a request, if the policy allows it as far as the URL tells. A name's addresses are checked when
    /// the request connects; [`call_class`](crate::call_class) then says `denied`.
    ///
    /// # Errors
    /// [`Denied`] by the policy.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, Denied> {
        self.policy.check(url)?;
        Ok(self.http.request(method, url.clone()))
    }

    /// Sends a request that this client began, and returns when the head of the response is there.
    ///
    /// # Errors
    /// The client's; [`call_class`](crate::call_class) and [`error_text`] say what it is.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, reqwest::Error> {
        let response = request.send().await?;
        if let Some(stopwatch) = &self.stopwatch {
            stopwatch.answered(response.status().as_u16());
        }
        Ok(response)
    }

    /// What the client may call.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let error = Client::new(Policy::public_only(), Some(b"not a certificate")).unwrap_err();
        assert!(matches!(error, ClientError::Roots(_)), "{error}");
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        let client = Client::new(Policy::public_only(), None).unwrap();
        let certificate = rcgen::generate_simple_self_signed(vec!["bot-owner".to_owned()]).unwrap();
        for pem in [certificate.cert.pem(), "not a certificate".to_owned()] {
            let error = client.with_certificate(pem.as_bytes()).unwrap_err();
            assert!(matches!(error, ClientError::Identity(_)), "{error}");
        }
    }

    #[test]
    fn the_policy_is_asked_before_a_request_is_made() {
        let client = Client::new(Policy::public_only(), None).unwrap();
        let refused = client.request(Method::GET, &Url::parse("http://example.com/").unwrap());
        assert!(matches!(refused, Err(Denied::PlainHttp { .. })));
    }
}
