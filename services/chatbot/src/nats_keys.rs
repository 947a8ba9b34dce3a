//! `chatbot nats-keys`: a key for each user of the broker.

use std::path::{Path, PathBuf};

use bus::UserKey;
use clap::Args;
use proto_schemas::access::{ADMIN, USERS, key_variable};

use crate::Failure;
use crate::output::say;
use crate::run_dir::write_private;

/// The public halves, to be included in the server's configuration.
const PUBLIC: &str = "public.conf";

/// Options of `nats-keys`.
#[derive(Args)]
pub(crate) struct Options {
    /// Where the keys are kept. Those that are there stay; to change one, remove its seed first.
    folder: PathBuf,
}

/// Makes the keys that are not there yet, and writes the public halves of all.
pub(crate) fn nats_keys(options: &Options) -> Result<(), Failure> {
    let folder = &options.folder;
    std::fs::create_dir_all(folder).map_err(|error| cannot("make", folder, &error))?;
    let mut public =
        "# The public halves of the keys, for auth.conf. Made by `chatbot nats-keys`.\n".to_owned();
    for name in USERS.iter().map(|user| user.name).chain([ADMIN]) {
        let (key, made) = key(&folder.join(format!("{name}.seed")))?;
        say!("{} {name} {}", if made { "made" } else { "kept" }, key.public());
        public.push_str(&format!("{}: \"{}\"\n", key_variable(name), key.public()));
    }
    let file = folder.join(PUBLIC);
    std::fs::write(&file, public).map_err(|error| cannot("write", &file, &error))?;
    say!("the public halves are in {}", file.display());
    Ok(())
}

/// The key of a file, and whether it was made just now.
fn key(file: &Path) -> Result<(UserKey, bool), Failure> {
    let refused = |error: &dyn std::fmt::Display| Failure(format!("{}: {error}", file.display()));
    if file.exists() {
        let seed = std::fs::read_to_string(file).map_err(|error| cannot("read", file, &error))?;
        let key = UserKey::from_seed(seed.trim_end()).map_err(|error| refused(&error))?;
        return Ok((key, false));
    }
    let key = UserKey::generate().map_err(|error| refused(&error))?;
    write_private(file, key.seed()).map_err(|error| cannot("write", file, &error))?;
    Ok((key, true))
}

fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("cannot {verb} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_made_once_kept_apart_and_shown_by_their_public_halves_only() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            folder: folder.path().join("keys"),
        };
        nats_keys(&options).unwrap();
        let seed = options.folder.join("egress.seed");
        assert_eq!(
            std::fs::metadata(&seed).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let public = || std::fs::read_to_string(options.folder.join(PUBLIC)).unwrap();
        let (first, made) = (public(), key(&seed).unwrap());
        assert!(!made.1 && first.contains(&format!("NKEY_EGRESS: \"{}\"\n", made.0.public())));
        assert!(!first.contains(made.0.seed()));

        nats_keys(&options).unwrap();
        assert_eq!(public(), first, "what is there stays");
        std::fs::remove_file(seed).unwrap();
        nats_keys(&options).unwrap();
        assert_ne!(public(), first);
    }
}
