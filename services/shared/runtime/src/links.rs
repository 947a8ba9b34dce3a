//! Signed, expiring links to stored files: made by whoever shows a file, checked by attachment-fetcher.

use std::time::Duration;

use domain::links::{self, LinkError, Linked};
use proto_schemas::content::StoredFile;
use proto_schemas::ids::UnixMillis;
use registry::{Secret, SecretRef};

use crate::StartError;
use crate::clock;
use crate::config::Reader;

/// How links look.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    base_url: String,
    secret: Option<SecretRef>,
    lifetime: Duration,
}

/// Makes and checks links.
#[derive(Clone)]
pub struct Links {
    base_url: String,
    secret: Secret,
    lifetime: Duration,
}

impl LinkConfig {
    /// Reads the keys.
    pub fn read(reader: &mut Reader) -> Self {
        let base_url = reader.text(
            "ATTACHMENTS_URL",
            "http://127.0.0.1:8080/files",
            "Where attachment-fetcher's /files is reachable for webhooks and users.",
        );
        let reference = reader.text(
            "ATTACHMENTS_SECRET",
            "env:ATTACHMENTS_SIGNING_KEY",
            "Reference to the secret that signs links to files, as env:NAME or file:PATH.",
        );
        let secret = SecretRef::try_from(reference)
            .map_err(|error| reader.error(format!("ATTACHMENTS_SECRET: {error}")))
            .ok();
        let lifetime = reader.duration(
            "ATTACHMENTS_LINK_LIFETIME",
            Duration::from_secs(24 * 60 * 60),
            Duration::from_secs(60)..=Duration::from_secs(30 * 24 * 60 * 60),
            "How long a link to a file is good.",
        );
        Self {
            base_url,
            secret,
            lifetime,
        }
    }

    /// Resolves the secret.
    ///
    /// # Errors
    /// [`StartError::Other`] when it cannot be read.
    pub fn open(&self) -> Result<Links, StartError> {
        let reference = self.secret.as_ref();
        let reference =
            reference.ok_or_else(|| StartError::Other("ATTACHMENTS_SECRET is missing".to_owned()))?;
        let secret = reference
            .resolve()
            .map_err(|error| StartError::Other(error.to_string()))?;
        Ok(Links {
            base_url: self.base_url.clone(),
            secret,
            lifetime: self.lifetime,
        })
    }
}

impl Links {
    /// A link to a stored file, good from now on for the configured time.
    pub fn link(&self, file: &StoredFile) -> String {
        let expires = UnixMillis(clock::now().0.saturating_add(self.lifetime.as_millis() as u64));
        links::sign(&self.base_url, file, expires, self.secret.expose().as_bytes())
    }

    /// Whether a link may be served now.
    ///
    /// # Errors
    /// [`LinkError`] when it has expired or was not made by us.
    pub fn check(&self, linked: Linked<'_>, signature: &str) -> Result<(), LinkError> {
        links::verify(linked, signature, clock::now(), self.secret.expose().as_bytes())
    }
}
