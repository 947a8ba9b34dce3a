//! Configuration of outgoing HTTP, the same for every service that calls out.

use outbound::{Client, ClientError, Policy};

use crate::config::Reader;

/// Where the service may call.
#[derive(Debug, Clone)]
pub struct OutgoingConfig {
    policy: Policy,
    roots_file: Option<String>,
}

impl OutgoingConfig {
    /// Reads the keys.
    pub fn read(reader: &mut Reader) -> Self {
        let allowed = reader.list(
            "OUTBOUND_ALLOW",
            "For development: hosts, addresses and subnets that may be called although they are not public, \
             also by plain HTTP.",
        );
        let policy = Policy::new(&allowed).unwrap_or_else(|problems| {
            for problem in problems {
                reader.error(format!("OUTBOUND_ALLOW: {problem}"));
            }
            Policy::public_only()
        });
        let roots_file = reader.optional(
            "OUTBOUND_CA_FILE",
            "Certificates (PEM) to trust besides the system's.",
        );
        Self { policy, roots_file }
    }

    /// The client, with a line in the log when the policy has exceptions.
    ///
    /// # Errors
    /// The file's, or [`ClientError`] when it holds no certificates.
    pub fn client(&self) -> Result<Client, crate::StartError> {
        if self.policy.is_open() {
            tracing::warn!(allowed = %self.policy, "calls to addresses that are not public are allowed");
        }
        let roots = self.roots_file.as_ref().map(std::fs::read).transpose()?;
        let client = Client::new(self.policy.clone(), roots.as_deref());
        client.map_err(|error: ClientError| crate::StartError::Other(error.to_string()))
    }
}
