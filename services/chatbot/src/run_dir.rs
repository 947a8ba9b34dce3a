//! The folder of `chatbot up`: data of the broker, secrets, and where everything listens.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::Failure;

/// A folder that outlives the process.
#[derive(Debug, Clone)]
pub(crate) struct RunDir {
    path: PathBuf,
}

/// Where a running pipeline is reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Addresses {
    /// The broker.
    pub(crate) nats: String,
    /// Where messages are pushed.
    pub(crate) ingress: String,
    /// Where replies are read: `{replies}/{conversation}`.
    pub(crate) replies: String,
    /// The secret that pushes to the connection `web` are signed with.
    pub(crate) secret: String,
    /// Where the admin API is.
    pub(crate) console: String,
    /// What its clients show.
    pub(crate) console_token: String,
}

impl RunDir {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A secret of our own making, the same as long as the folder is there.
    pub(crate) fn secret(&self, name: &str) -> Result<PathBuf, Failure> {
        let folder = self.path.join("secrets");
        let path = folder.join(name);
        if !path.exists() {
            let key: [u8; 32] = rand::rng().random();
            let written = fs::create_dir_all(&folder)
                .and_then(|()| write_private(&path, &format!("whsec_{}", BASE64.encode(&key))));
            written.map_err(|error| Failure(format!("cannot write {}: {error}", path.display())))?;
        }
        path.canonicalize().map_err(Failure::new)
    }

    /// Tells the other commands, and shells, where the pipeline is.
    pub(crate) fn announce(&self, addresses: &Addresses) -> Result<(), Failure> {
        let Addresses {
            nats,
            ingress,
            replies,
            secret,
            console,
            console_token,
        } = addresses;
        let shell = format!(
            "NATS_URL={nats}\nINGRESS={ingress}\nREPLIES={replies}\nSECRET={secret}\n\
             CONSOLE={console}\nCONSOLE_BEARER_TOKEN={console_token}\n"
        );
        let json = serde_json::to_string_pretty(addresses).map_err(Failure::new)?;
        write_private(&self.path.join("up.env"), &shell)
            .and_then(|()| write_private(&self.path.join("up.json"), &json))
            .map_err(|error| Failure(format!("cannot write to {}: {error}", self.path.display())))
    }

    /// Where the running pipeline is.
    pub(crate) fn addresses(&self) -> Result<Addresses, Failure> {
        let path = self.path.join("up.json");
        let text = fs::read(&path).map_err(|_| {
            Failure(format!(
                "nothing runs in {}: start `chatbot up` first",
                self.path.display()
            ))
        })?;
        serde_json::from_slice(&text).map_err(|error| Failure(format!("{}: {error}", path.display())))
    }

    /// Takes the announcement back. What cannot be removed was not written.
    pub(crate) fn withdraw(&self) {
        for name in ["up.env", "up.json"] {
            if let Err(error) = fs::remove_file(self.path.join(name)) {
                tracing::debug!(name, %error, "not withdrawn");
            }
        }
    }
}

/// Writes a file for its owner's eyes. Written beside and moved: a reader never sees half of it.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let draft = path.with_extension("draft");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn who_reads_a_private_file_while_it_is_written_anew_reads_all_that_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("up.json");
        write_private(&path, "the first").unwrap();
        let mut reader = fs::File::open(&path).unwrap();
        write_private(&path, "the second").unwrap();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(
            (read.as_str(), &*fs::read_to_string(&path).unwrap()),
            ("the first", "the second")
        );
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
