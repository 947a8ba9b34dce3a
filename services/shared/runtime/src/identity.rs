//! Configuration of who a process is to the broker: the same for every service and the command line.

use std::path::PathBuf;

use bus::{Identity, UserKey};
use registry::SecretRef;

use crate::StartError;
use crate::config::Reader;

/// How every PEM file with certificates begins its entries.
const PEM_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Who a process is to the broker.
#[derive(Debug, Clone, Default)]
pub struct IdentityConfig {
    /// Where the seed of its key is; none where the broker asks nobody.
    pub seed: Option<SecretRef>,
    /// Certificates that the broker's has to be signed by.
    pub roots: Option<PathBuf>,
}

impl IdentityConfig {
    /// Reads the keys.
    pub fn read(reader: &mut Reader) -> Self {
        let seed = reader.optional(
            "NATS_NKEY_SEED",
            "Reference to the seed of the service's own user of the broker, as file:PATH or env:NAME. With it the \
             service creates no streams: `chatbot bootstrap` does.",
        );
        let seed = seed.and_then(|reference| {
            let reference = SecretRef::try_from(reference);
            let told = reference.map_err(|error| reader.error(format!("NATS_NKEY_SEED: {error}")));
            told.ok()
        });
        let roots = reader.optional(
            "NATS_CA_FILE",
            "Certificates (PEM) that the broker's has to be signed by; demands TLS. Without it tls:// is verified by \
             the system's.",
        );
        Self {
            seed,
            roots: roots.map(PathBuf::from),
        }
    }

    /// Reads the secret, and looks whether the certificates are there.
    ///
    /// # Errors
    /// [`StartError::Other`] naming the key whose file or secret will not do.
    pub fn open(&self) -> Result<Identity, StartError> {
        let key = self.seed.as_ref().map(user_key).transpose()?;
        if let Some(roots) = &self.roots {
            check_certificates(roots)
                .map_err(|cause| StartError::Other(format!("NATS_CA_FILE: {}: {cause}", roots.display())))?;
        }
        Ok(Identity {
            key,
            roots: self.roots.clone(),
        })
    }
}

fn user_key(reference: &SecretRef) -> Result<UserKey, StartError> {
    let refused = |error: &dyn std::fmt::Display| StartError::Other(format!("NATS_NKEY_SEED: {error}"));
    let seed = reference.resolve().map_err(|error| refused(&error))?;
    UserKey::from_seed(seed.expose()).map_err(|error| refused(&format!("{reference} is {error}")))
}

/// The client reads them anew with every connection, so that they may be changed.
fn check_certificates(file: &PathBuf) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    if text.contains(PEM_CERTIFICATE) {
        Ok(())
    } else {
        Err("there is no certificate (PEM) in it".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (IdentityConfig, Reader) {
        let owned = variables
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(owned);
        (IdentityConfig::read(&mut reader), reader)
    }

    fn refusal(variables: &[(&str, &str)]) -> String {
        let (config, reader) = read(variables);
        reader.finish().unwrap();
        config.open().unwrap_err().to_string()
    }

    #[test]
    fn a_seed_in_place_of_its_reference_is_refused_without_being_repeated() {
        let seed = UserKey::generate().unwrap().seed().to_owned();
        let (_, reader) = read(&[("NATS_NKEY_SEED", &seed)]);
        let error = reader.finish().unwrap_err().to_string();
        assert!(
            error.contains("NATS_NKEY_SEED") && !error.contains(&seed),
            "{error}"
        );
    }

    #[test]
    fn what_is_no_seed_is_refused_by_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seed");
        std::fs::write(&file, "hunter2").unwrap();
        let error = refusal(&[("NATS_NKEY_SEED", &format!("file:{}", file.display()))]);
        assert!(
            error.starts_with("NATS_NKEY_SEED: file:") && error.contains("begins with SU"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn certificates_that_are_not_there_are_named_at_start() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let variables = [("NATS_CA_FILE", file.to_str().unwrap())];
        assert!(
            refusal(&variables).starts_with("NATS_CA_FILE: "),
            "{}",
            refusal(&variables)
        );
        std::fs::write(&file, "no PEM").unwrap();
        assert!(
            refusal(&variables).contains("no certificate"),
            "{}",
            refusal(&variables)
        );
    }
}
