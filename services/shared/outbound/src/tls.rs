//! TLS as our clients speak it: certificates verified against the system's roots and those given besides.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_platform_verifier::Verifier;

use crate::client::ClientError;

/// The only protocol that is offered.
const ALPN: &[u8] = b"http/1.1";

/// TLS without a client certificate. `extra_roots_pem` holds certificates that are trusted besides the system's.
///
/// # Errors
/// [`ClientError`] when the extra roots are no certificates, or the system has no roots.
pub(crate) fn config(extra_roots_pem: Option<&[u8]>) -> Result<ClientConfig, ClientError> {
    let roots = extra_roots_pem.map(certificates).transpose()?.unwrap_or_default();
    let build = |error: rustls::Error| ClientError::Build(error.to_string());
    let provider = provider();
    let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(build)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(build)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// The same, showing a certificate. `pem` holds it, those between it and its root, and the private key.
///
/// # Errors
/// [`ClientError`] when `pem` holds no certificate with its key.
pub(crate) fn with_certificate(config: &ClientConfig, pem: &[u8]) -> Result<ClientConfig, ClientError> {
    // Their errors may quote the input, and that is a key.
    let unreadable = || ClientError::Identity("no certificate and private key in PEM".to_owned());
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| unreadable())?;
    if chain.is_empty() {
        return Err(unreadable());
    }
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unreadable())?;
    let identity = CertifiedKey::from_der(chain, key, config.crypto_provider()).map_err(|_| unreadable())?;
    let mut config = config.clone();
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(identity));
    // A session that was begun without the certificate must not go on as one with it.
    config.resumption = Resumption::default();
    Ok(config)
}

fn provider() -> Arc<CryptoProvider> {
    match CryptoProvider::get_default() {
        Some(installed) => Arc::clone(installed),
        None => Arc::new(ring::default_provider()),
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| ClientError::Roots(error.to_string()))?;
    if roots.is_empty() {
        return Err(ClientError::Roots("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}
