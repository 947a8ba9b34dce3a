//! `chatbot nats-keys`: a key for each user of the broker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bus::{NotASeed, UserKey};
use clap::Args;
use proto_schemas::access::{ADMIN, USERS, server_config};

use crate::Failure;
use crate::output::say;
use crate::run_dir::write_private;

/// What the server includes: who may do what, with the public halves of the keys.
const RIGHTS: &str = "auth.conf";

/// Options of `nats-keys`.
#[derive(Args)]
pub(crate) struct Options {
    /// Where the keys are kept. Those that are there stay; to change one, rename NAME.seed to NAME.previous.seed: both are good
    /// until that is removed.
    folder: PathBuf,
}

/// Makes the keys that are not there yet, and writes what the server has to know of all.
pub(crate) fn nats_keys(options: &Options) -> Result<(), Failure> {
    let folder = &options.folder;
    std::fs::create_dir_all(folder).map_err(|error| cannot("make", folder, &error))?;
    let mut public = BTreeMap::new();
    for name in USERS.iter().map(|user| user.name).chain([ADMIN]) {
        let (key, made) = key(&folder.join(format!("{name}.seed")))?;
        say!("{} {name} {}", if made { "made" } else { "kept" }, key.public());
        let mut keys = vec![quoted(&key)];
        let previous = folder.join(format!("{name}.previous.seed"));
        if previous.exists() {
            let key = read(&previous)?;
            say!("kept {name} {} too, as the previous one", key.public());
            keys.push(quoted(&key));
        }
        public.insert(name, keys);
    }
    let file = folder.join(RIGHTS);
    let rights = server_config(|name| public[name].clone());
    std::fs::write(&file, rights).map_err(|error| cannot("write", &file, &error))?;
    say!(
        "their rights are in {}, for the server to include",
        file.display()
    );
    Ok(())
}

/// The key of a file, and whether it was made just now.
fn key(file: &Path) -> Result<(UserKey, bool), Failure> {
    if file.exists() {
        return Ok((read(file)?, false));
    }
    let key = UserKey::generate().map_err(|error| refused(file, error))?;
    write_private(file, key.seed()).map_err(|error| cannot("write", file, &error))?;
    Ok((key, true))
}

fn read(file: &Path) -> Result<UserKey, Failure> {
    let seed = std::fs::read_to_string(file).map_err(|error| cannot("read", file, &error))?;
    UserKey::from_seed(seed.trim_end()).map_err(|error| refused(file, error))
}

fn quoted(key: &UserKey) -> String {
    format!("{:?}", key.public())
}

fn refused(file: &Path, error: NotASeed) -> Failure {
    Failure(format!("{}: {error}", file.display()))
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
        let rights = || std::fs::read_to_string(options.folder.join(RIGHTS)).unwrap();
        let (first, (egress, made)) = (rights(), key(&seed).unwrap());
        assert!(!made && first.contains(&format!("nkey: {:?}\n", egress.public())));
        assert!(!first.contains(egress.seed()) && !first.contains("$NKEY"));

        nats_keys(&options).unwrap();
        assert_eq!(rights(), first, "what is there stays");
        std::fs::remove_file(seed).unwrap();
        nats_keys(&options).unwrap();
        assert_ne!(rights(), first);
    }

    #[test]
    fn a_key_that_is_being_changed_is_good_beside_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            folder: folder.path().to_owned(),
        };
        let place = |name: &str| options.folder.join(name);
        nats_keys(&options).unwrap();
        for user in ["egress", ADMIN] {
            let previous = place(&format!("{user}.previous.seed"));
            std::fs::rename(place(&format!("{user}.seed")), &previous).unwrap();
            nats_keys(&options).unwrap();
            let entries = |file: &Path| {
                let rights = std::fs::read_to_string(place(RIGHTS)).unwrap();
                let entry = format!("nkey: {}", quoted(&read(file).unwrap()));
                rights.matches(&entry).count()
            };
            let present = place(&format!("{user}.seed"));
            assert_eq!((entries(&present), entries(&previous)), (1, 1), "{user}");
        }
    }
}
