//! The HTTP client of an integration: that of the process, or one that shows the integration's certificate.

use std::sync::Arc;

use outbound::{Client, Stopwatch};
use registry::{Integration, Secret, SecretRef};

use crate::error::CallError;

/// Hands out an integration's client.
pub(crate) struct Clients {
    shared: Arc<Client>,
    certificate: Option<SecretRef>,
    /// The client with the certificate, and the certificate that it was built with.
    own: Option<(Secret, Arc<Client>)>,
}

impl Clients {
    pub(crate) fn new(shared: Arc<Client>, integration: &Integration) -> Self {
        Self {
            shared,
            certificate: integration.client_certificate.clone(),
            own: None,
        }
    }

    /// The client for the next call. A certificate that was replaced is shown from then on.
    ///
    /// # Errors
    /// [`CallError`] when the certificate cannot be had now. It passes: an operator may mend it.
    pub(crate) fn get(&mut self) -> Result<Arc<Client>, CallError> {
        let Some(reference) = &self.certificate else {
            return Ok(Arc::clone(&self.shared));
        };
        let unavailable = |error: String| CallError::passing("secret_unavailable", error);
        let pem = reference
            .resolve()
            .map_err(|error| unavailable(error.to_string()))?;
        if let Some((present, client)) = &self.own
            && *present == pem
        {
            return Ok(Arc::clone(client));
        }
        let client = self
            .shared
            .with_certificate(pem.expose().as_bytes())
            .map_err(|error| unavailable(format!("{reference}: {error}")))?;
        let client = Arc::new(client);
        self.own = Some((pem, Arc::clone(&client)));
        Ok(client)
    }

    /// A client for one call whose parts are timed.
    ///
    /// # Errors
    /// As for [`Clients::get`].
    pub(crate) fn timed(&mut self, stopwatch: Arc<Stopwatch>) -> Result<Client, CallError> {
        let timed = self.get()?.with_stopwatch(stopwatch);
        timed.map_err(|error| CallError::passing("other", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use outbound::Policy;

    use super::*;

    fn certificate() -> String {
        let signed = rcgen::generate_simple_self_signed(vec!["bot-owner".to_owned()]).unwrap();
        signed.cert.pem() + &signed.signing_key.serialize_pem()
    }

    #[test]
    fn a_certificate_that_is_mended_later_is_used_then() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("certificate.pem");
        let integration = serde_json::json!({"id": "i", "url": "https://a.example/",
            "client_certificate": format!("file:{}", file.display())});
        let shared = Client::new(Policy::public_only(), None).unwrap();
        let mut clients = Clients::new(Arc::new(shared), &serde_json::from_value(integration).unwrap());

        assert_eq!(clients.get().unwrap_err().class, "secret_unavailable");
        std::fs::write(&file, "half a certificate").unwrap();
        let error = clients.get().unwrap_err();
        assert_eq!(error.class, "secret_unavailable");
        assert!(!error.detail.contains("half"), "{}", error.detail);
        std::fs::write(&file, certificate()).unwrap();
        assert!(clients.get().is_ok());
        let shown = |clients: &Clients| clients.own.as_ref().unwrap().0.expose().to_owned();
        let first = shown(&clients);
        let next = certificate();
        std::fs::write(&file, &next).unwrap();
        assert!(clients.get().is_ok());
        assert_ne!(shown(&clients), first);
        assert_eq!(shown(&clients), next.trim_end());
    }
}
