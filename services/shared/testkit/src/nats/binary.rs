//! Where the nats-server binary is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest server with the stream settings that the platform uses.
const OLDEST: (u32, u32) = (2, 12);

/// Finds the binary: `NATS_SERVER_BIN`, else a recent one on the path, else the one that `make tools` brought.
///
/// # Panics
/// When there is none.
pub fn locate() -> PathBuf {
    let named = std::env::var_os("NATS_SERVER_BIN");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    choose(named, installed_version, here).expect("no nats-server of 2.12 or later: run `make tools` first")
}

fn choose(
    named: Option<OsString>,
    installed_version: impl Fn() -> Option<String>,
    here: &Path,
) -> Option<PathBuf> {
    if let Some(named) = named {
        return Some(named.into());
    }
    if installed_version().is_some_and(|version| is_recent(&version)) {
        return Some("nats-server".into());
    }
    here.ancestors()
        .map(|folder| folder.join(".tools/nats-server"))
        .find(|binary| binary.exists())
}

fn installed_version() -> Option<String> {
    let output = Command::new("nats-server").arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Reads `nats-server: v2.15.1`.
fn is_recent(version: &str) -> bool {
    let Some((_, numbers)) = version.split_once(": v") else {
        return false;
    };
    let mut numbers = numbers.trim().split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_from_2_12_on_are_recent() {
        for recent in [
            "nats-server: v2.12.0\n",
            "nats-server: v2.15.1",
            "nats-server: v3.0.0",
        ] {
            assert!(is_recent(recent), "{recent}");
        }
        for old in [
            "nats-server: v2.11.9",
            "nats-server: v1.99.0",
            "nats-server: vx.y",
            "",
            "2.15.1",
        ] {
            assert!(!is_recent(old), "{old}");
        }
    }

    #[test]
    fn the_named_binary_goes_before_the_installed_and_that_before_the_tools() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("services/x");
        std::fs::create_dir_all(root.path().join(".tools")).unwrap();
        std::fs::create_dir_all(&deep).unwrap();
        let tool = root.path().join(".tools/nats-server");
        let version = |text: &'static str| move || Some(text.to_owned());
        let new = version("nats-server: v2.12.1");
        let old = version("nats-server: v2.10.7");

        assert_eq!(choose(Some("/x/nats".into()), new, &deep), Some("/x/nats".into()));
        assert_eq!(choose(None, new, &deep), Some("nats-server".into()));
        assert_eq!(choose(None, old, &deep), None);
        std::fs::write(&tool, "").unwrap();
        assert_eq!(choose(None, old, &deep), Some(tool.clone()));
        assert_eq!(choose(None, || None, &deep), Some(tool));
    }
}
