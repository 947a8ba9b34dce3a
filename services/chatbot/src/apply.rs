//! `chatbot apply`: a manifest is checked as a whole, every error is told at once, then it is stored.

mod over_server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::Bus;
use clap::Args;
use registry::{Manifest, Problem, Registry, Snapshot};

use crate::Failure;
use crate::output::say;
use crate::platform::Platform;

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
pub(crate) async fn apply(options: &Options, platform: &Platform) -> Result<(), Failure> {
    let manifest = match platform {
        Platform::Broker(bus) => {
            let manifest = checked(&options.file, bus).await?;
            if !options.dry_run {
                manifest.store(bus).await.map_err(Failure::new)?;
            }
            manifest
        }
        Platform::Console(server) => {
            let (manifest, mut problems) = parse(&text(&options.file)?)?;
            problems.extend(over_server::check(server, &manifest).await?);
            refuse(&options.file, &problems)?;
            if !options.dry_run {
                over_server::store(server, &manifest).await?;
            }
            manifest
        }
    };
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
    let (manifest, mut problems) = parse(&text(file)?)?;
    let broken = operations::check(bus, &manifest).await.map_err(|error| {
        Failure(format!(
            "the stored configuration cannot be read: has the platform been started? ({error})"
        ))
    })?;
    problems.extend(broken);
    refuse(file, &problems)?;
    Ok(manifest)
}

fn text(file: &Path) -> Result<String, Failure> {
    let read = std::fs::read_to_string(file);
    read.map_err(|error| Failure(format!("cannot read {}: {error}", file.display())))
}

/// Tells all broken rules at once, if there are any.
fn refuse(file: &Path, problems: &[Problem]) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Err(Failure(format!(
        "{} is refused:\n  {}",
        file.display(),
        problems.join("\n  ")
    )))
}

fn parse(text: &str) -> Result<(Manifest, Vec<Problem>), Failure> {
    let document: serde_json::Value =
        serde_saphyr::from_str(text).map_err(|error| Failure(format!("not a manifest: {error}")))?;
    operations::read(document).map_err(|error| Failure(format!("not a manifest: {error}")))
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
    use std::collections::BTreeSet;

    use registry::check_manifest;

    use super::*;

    #[test]
    fn a_misspelt_key_is_named_in_the_order_of_the_file() {
        let yaml = "integrations:\n  - id: echo\n    url: https://a.example/\n    timeot: 3s\n    limits: {per_secnd: 3}\n";
        let (_, problems) = parse(yaml).unwrap();
        let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            ["integrations.0.timeot", "integrations.0.limits.per_secnd"]
        );
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
            assert_eq!(unknown, []);
            assert_eq!(check_manifest(&manifest, &BTreeSet::new(), &BTreeSet::new()), []);
        }
    }

    #[test]
    fn the_example_of_the_documents_is_valid() {
        let (manifest, unknown) = parse(include_str!("../../../deploy/example.yaml")).unwrap();
        assert_eq!(unknown, []);
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
