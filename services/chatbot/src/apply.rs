//! `chatbot apply`: a manifest is checked as a whole, every error is told at once, then it is stored.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::Bus;
use clap::Args;
use registry::{Manifest, Registry, Snapshot, check_manifest};

use crate::Failure;
use crate::output::say;

/// How long reading what is stored may take.
const LOAD_DEADLINE: Duration = Duration::from_secs(10);

/// Options of `apply`.
#[derive(Args)]
pub(crate) struct Options {
    /// The manifest, YAML or JSON.
    #[arg(short, long)]
    file: PathBuf,
    /// Checks only.
    #[arg(long)]
    dry_run: bool,
}

/// Checks and stores.
pub(crate) async fn apply(options: &Options, bus: &Bus) -> Result<(), Failure> {
    let manifest = checked(&options.file, bus).await?;
    if !options.dry_run {
        manifest.store(bus).await.map_err(Failure::new)?;
    }
    let done = if options.dry_run { "valid" } else { "stored" };
    say!(
        "{done}: {} integrations, {} bots, {} connections",
        manifest.integrations.len(),
        manifest.bots.len(),
        manifest.connections.len()
    );
    Ok(())
}

/// Checks a file and stores it.
pub(crate) async fn apply_file(file: &Path, bus: &Bus) -> Result<(), Failure> {
    checked(file, bus).await?.store(bus).await.map_err(Failure::new)
}

async fn checked(file: &Path, bus: &Bus) -> Result<Manifest, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure(format!("cannot read {}: {error}", file.display())))?;
    let (manifest, mut problems) = parse(&text)?;
    let stored = stored(bus).await?;
    let ids = |ids: Vec<String>| ids.into_iter().collect::<BTreeSet<_>>();
    let bots = ids(stored.bots.keys().map(ToString::to_string).collect());
    let integrations = ids(stored.integrations.keys().map(ToString::to_string).collect());
    problems.extend(
        check_manifest(&manifest, &bots, &integrations)
            .iter()
            .map(ToString::to_string),
    );
    if problems.is_empty() {
        return Ok(manifest);
    }
    Err(Failure(format!(
        "{} is refused:\n  {}",
        file.display(),
        problems.join("\n  ")
    )))
}

/// Reads a manifest, and names the keys in it that mean nothing: they are typing errors.
fn parse(text: &str) -> Result<(Manifest, Vec<String>), Failure> {
    let document: serde_json::Value =
        serde_saphyr::from_str(text).map_err(|error| Failure(format!("not a manifest: {error}")))?;
    let mut unknown = Vec::new();
    let note = |path: serde_ignored::Path<'_>| {
        // An optional part is a step of its own in the path, which nobody has written.
        let path = path.to_string().replace(".?", "");
        unknown.push(format!("{path}: unknown key"));
    };
    let manifest = serde_ignored::deserialize(document, note)
        .map_err(|error| Failure(format!("not a manifest: {error}")))?;
    Ok((manifest, unknown))
}

/// The configuration that is stored now.
pub(crate) async fn stored(bus: &Bus) -> Result<Snapshot, Failure> {
    let (registry, following) = Registry::follow(bus.clone());
    let loaded = async {
        tokio::select! {
            Err(never) = following => match never {},
            () = registry.wait_until_loaded() => {}
        }
    };
    tokio::time::timeout(LOAD_DEADLINE, loaded).await.map_err(|_| {
        Failure::new("the stored configuration cannot be read: has the platform been started?")
    })?;
    Ok((*registry.current()).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_named_with_its_path() {
        let yaml = "integrations:\n  - id: echo\n    url: https://a.example/\n    timeot: 3s\n    limits: {per_secnd: 3}\n";
        let (_, problems) = parse(yaml).unwrap();
        assert_eq!(
            problems,
            [
                "integrations.0.timeot: unknown key",
                "integrations.0.limits.per_secnd: unknown key"
            ]
        );
    }

    #[test]
    fn a_secret_in_the_clear_is_refused_without_repeating_it() {
        let yaml =
            "integrations:\n  - id: e\n    url: https://a.example/\n    signing_secret: whsec_abcdef\n";
        let error = parse(yaml).unwrap_err().to_string();
        assert!(
            error.contains("by reference") && !error.contains("abcdef"),
            "{error}"
        );
    }

    #[test]
    fn a_misspelt_setting_of_a_format_is_named_with_its_path() {
        let yaml = "integrations:\n  - id: gpt\n    url: https://a.example/\n    format: {openai: {model: m, temprature: 1}}\n";
        let (_, problems) = parse(yaml).unwrap();
        assert_eq!(problems, ["integrations.0.format.openai.temprature: unknown key"]);
    }

    #[test]
    fn a_misspelt_setting_of_a_split_is_named_with_its_path() {
        let yaml = "bots:\n  - {id: b, name: B, split: {arms: [{integration: i, wieght: 3}]}}\n";
        let (_, problems) = parse(yaml).unwrap();
        assert_eq!(problems, ["bots.0.split.arms.0.wieght: unknown key"]);
    }

    #[test]
    fn a_format_without_its_model_is_refused_beside_all_else() {
        let yaml =
            "integrations:\n  - id: gpt\n    url: https://a.example/\n    timeout: 0s\n    format: openai\n";
        let (manifest, _) = parse(yaml).unwrap();
        let problems = check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new());
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            ["integrations.gpt.timeout", "integrations.gpt.format.openai.model"]
        );
    }

    #[test]
    fn the_manifests_of_the_readme_are_valid() {
        let readme = include_str!("../../../README.md");
        let manifests: Vec<&str> = readme
            .split("```yaml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        assert!(!manifests.is_empty(), "the README has no manifest");
        for text in manifests {
            let (manifest, unknown) = parse(text).unwrap();
            assert_eq!(unknown, Vec::<String>::new());
            assert_eq!(check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new()), []);
        }
    }

    #[test]
    fn the_example_of_the_documents_is_valid() {
        let (manifest, unknown) = parse(include_str!("../../../deploy/example.yaml")).unwrap();
        assert_eq!(unknown, Vec::<String>::new());
        assert_eq!(check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new()), []);
        assert_eq!(
            (
                manifest.bots.len(),
                manifest.integrations.len(),
                manifest.connections.len()
            ),
            (2, 3, 4)
        );
    }
}
