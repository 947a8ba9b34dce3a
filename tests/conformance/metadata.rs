//! What `cargo metadata` says about the workspace and all that it is built from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

/// The packages of the workspace and everything below them.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Workspace {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

/// A package.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) license: Option<String>,
    /// What its manifest names.
    pub(crate) dependencies: Vec<Named>,
}

/// A dependency as a manifest names it.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    pub(crate) name: String,
    kind: Option<Kind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Dev,
    Build,
}

#[derive(Debug, Default, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    kind: Option<Kind>,
}

impl Named {
    /// Whether it is linked into what is shipped.
    pub(crate) fn is_normal(&self) -> bool {
        self.kind.is_none()
    }
}

impl Workspace {
    /// Our own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Packages of others.
    pub(crate) fn external(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| !self.workspace_members.contains(&package.id))
    }

    /// The names of all that is linked into `package`, however far down.
    pub(crate) fn linked_into(&self, package: &Package) -> BTreeSet<&str> {
        let nodes: BTreeMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let names: BTreeMap<&str, &str> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let mut seen = BTreeSet::new();
        let mut open = vec![package.id.as_str()];
        while let Some(id) = open.pop() {
            for edge in nodes.get(id).into_iter().flat_map(|node| &node.deps) {
                if edge.dep_kinds.iter().any(|edge| edge.kind.is_none()) && seen.insert(edge.pkg.as_str()) {
                    open.push(&edge.pkg);
                }
            }
        }
        seen.into_iter().filter_map(|id| names.get(id).copied()).collect()
    }
}

/// Asks cargo about the workspace at `root`, for the platform at hand: what other platforms need is perhaps not
/// downloaded.
pub(crate) fn read(root: &Path) -> Workspace {
    let platform = platform();
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--filter-platform",
        &platform,
    ];
    let output = run(Command::new(env!("CARGO")).args(arguments).current_dir(root));
    parse(&output)
}

/// Reads the output of `cargo metadata`.
pub(crate) fn parse(json: &str) -> Workspace {
    serde_json::from_str(json).expect("cargo metadata, format version 1")
}

fn platform() -> String {
    let version = run(Command::new(env!("CARGO")).arg("-vV"));
    let line = version.lines().find_map(|line| line.strip_prefix("host: "));
    line.expect("cargo names its platform").to_owned()
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{command:?}: {err}");
    out.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_normal_dependencies_are_followed() {
        let workspace = parse(
            r#"{
                "packages": [
                    {"id": "a", "name": "a", "license": "MIT", "dependencies": []},
                    {"id": "b", "name": "b", "license": "MIT", "dependencies": []},
                    {"id": "c", "name": "c", "license": "MIT", "dependencies": []},
                    {"id": "d", "name": "d", "license": "MIT", "dependencies": []}
                ],
                "workspace_members": ["a"],
                "resolve": {"nodes": [
                    {"id": "a", "deps": [
                        {"pkg": "b", "dep_kinds": [{"kind": "dev"}, {"kind": null}]},
                        {"pkg": "d", "dep_kinds": [{"kind": "dev"}]}
                    ]},
                    {"id": "b", "deps": [{"pkg": "c", "dep_kinds": [{"kind": null}]}]}
                ]}
            }"#,
        );
        let a = workspace.members().next().unwrap();
        assert_eq!(workspace.linked_into(a), BTreeSet::from(["b", "c"]));
        assert_eq!(workspace.external().count(), 3);
    }
}
