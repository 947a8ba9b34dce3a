//! A certificate authority, for servers that read their certificates from files.

use std::fmt;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority of its own, and a certificate of it for `127.0.0.1` and `localhost`, all in files that go with it.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    /// Makes both.
    ///
    /// # Panics
    /// When no key can be made or the files cannot be written.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of the tests");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let params = CertificateParams::new(names).unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let authority = Self { folder };
        let files = [
            (authority.roots(), issuer.pem()),
            (authority.certificate(), certificate.pem()),
            (authority.key(), key.serialize_pem()),
        ];
        for (file, pem) in files {
            std::fs::write(file, pem).unwrap();
        }
        authority
    }

    /// What a client has to trust (PEM).
    pub fn roots(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The server's certificate (PEM).
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    /// Its key (PEM).
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("server-key.pem")
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.folder.path().display())
    }
}
