//! Who may depend on whom.

use crate::metadata::{Named, Package, Workspace};
use crate::tree::SERVICES;

/// May put services together: the command line runs them all in one process, the tests run them all, and their parsers.
const MAY_JOIN_SERVICES: [&str; 3] = ["chatbot", "properties", "tests"];
/// Decisions and data: no clock, no task, no socket.
const PURE: [&str; 2] = ["domain", "proto-schemas"];
/// What a pure crate must not reach, however far down.
const IMPURE: [&str; 5] = ["tokio", "async-nats", "reqwest", "axum", "governor"];
/// How many dependencies may share one reason, as `sha2` and `hmac` do.
const LINES_PER_REASON: usize = 2;

/// What two services share is a schema, never code of one of them.
pub(crate) fn between_services(workspace: &Workspace) -> Vec<String> {
    let mut violations = Vec::new();
    for package in workspace
        .members()
        .filter(|member| !MAY_JOIN_SERVICES.contains(&member.name.as_str()))
    {
        for dependency in &package.dependencies {
            if SERVICES.contains(&dependency.name.as_str()) {
                violations.push(format!(
                    "{} depends on the service {}",
                    package.name, dependency.name
                ));
            }
        }
    }
    violations
}

/// The broker's client is named in one crate, and by the benchmark's yardstick, which must not share our code.
pub(crate) fn on_the_brokers_client(workspace: &Workspace) -> Vec<String> {
    let others = workspace.members().filter(|member| member.name != "bus");
    others
        .filter(|member| {
            member
                .dependencies
                .iter()
                .any(|dependency| dependency.name == "async-nats" && !is_yardstick(member, dependency))
        })
        .map(|member| format!("{} names async-nats; only bus may", member.name))
        .collect()
}

/// The client of S3 is named in one crate.
pub(crate) fn on_the_client_of_s3(workspace: &Workspace) -> Vec<String> {
    let others = workspace.members().filter(|member| member.name != "files");
    others
        .filter(|member| {
            let mut dependencies = member.dependencies.iter();
            dependencies.any(|dependency| dependency.name == "object_store")
        })
        .map(|member| format!("{} names object_store; only files may", member.name))
        .collect()
}

fn is_yardstick(member: &Package, dependency: &Named) -> bool {
    member.name == "tests" && !dependency.is_normal()
}

/// Pure crates stay pure.
pub(crate) fn of_pure_crates(workspace: &Workspace) -> Vec<String> {
    let mut violations = Vec::new();
    for package in workspace
        .members()
        .filter(|member| PURE.contains(&member.name.as_str()))
    {
        let linked = workspace.linked_into(package);
        for name in IMPURE.iter().filter(|name| linked.contains(**name)) {
            violations.push(format!("{} reaches {name}", package.name));
        }
    }
    violations
}

/// Fakes are for tests.
pub(crate) fn on_testkit(workspace: &Workspace) -> Vec<String> {
    let shipped = workspace.members().filter(|member| member.name != "tests");
    shipped
        .filter(|member| {
            member
                .dependencies
                .iter()
                .any(|dependency| dependency.name == "testkit" && dependency.is_normal())
        })
        .map(|member| format!("{} links testkit; it is a dev-dependency", member.name))
        .collect()
}

/// Dependencies of the root manifest that stand under no comment.
pub(crate) fn without_reason(manifest: &str) -> Vec<String> {
    let mut violations = Vec::new();
    let mut since_reason = LINES_PER_REASON;
    let section = manifest
        .lines()
        .skip_while(|line| *line != "[workspace.dependencies]")
        .skip(1);
    for line in section.take_while(|line| !line.starts_with('[')) {
        if line.starts_with('#') {
            since_reason = 0;
        } else if line.is_empty() {
            since_reason = LINES_PER_REASON;
        } else if line.contains("path =") {
            continue;
        } else if since_reason < LINES_PER_REASON {
            since_reason += 1;
        } else {
            violations.push(format!("Cargo.toml gives no reason for: {line}"));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metadata;

    /// A package, and what it names of which kind.
    type Member<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);

    /// A workspace with the members given.
    fn workspace(members: &[Member<'_>]) -> Workspace {
        let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
        let outside = members
            .iter()
            .flat_map(|(_, named)| named.iter().map(|(name, _)| *name));
        let package = |name: &str, named: &[(&str, Option<&str>)]| {
            let dependencies: Vec<_> = named
                .iter()
                .map(|(name, kind)| json!({"name": name, "kind": kind}))
                .collect();
            json!({"id": name, "name": name, "license": "MIT", "dependencies": dependencies})
        };
        let nodes = members.iter().map(|(name, named)| {
            let edges: Vec<_> = named
                .iter()
                .map(|(name, kind)| json!({"pkg": name, "dep_kinds": [{"kind": kind}]}))
                .collect();
            json!({"id": name, "deps": edges})
        });
        let mut packages: Vec<_> = members.iter().map(|(name, named)| package(name, named)).collect();
        packages.extend(
            outside
                .filter(|name| !names.contains(name))
                .map(|name| package(name, &[])),
        );
        let metadata = json!({
            "packages": packages,
            "workspace_members": names,
            "resolve": {"nodes": nodes.collect::<Vec<_>>()},
        });
        metadata::parse(&metadata.to_string())
    }

    #[test]
    fn a_service_that_uses_another_is_found_even_in_tests() {
        let planted = workspace(&[
            ("egress", &[("ingress", Some("dev"))]),
            ("runtime", &[("egress", None)]),
            ("chatbot", &[("egress", None), ("ingress", None)]),
        ]);
        let expected = [
            "egress depends on the service ingress",
            "runtime depends on the service egress",
        ];
        assert_eq!(between_services(&planted), expected);
    }

    #[test]
    fn a_second_user_of_the_brokers_client_is_found() {
        let planted = workspace(&[
            ("bus", &[("async-nats", None), ("async-nats", Some("dev"))]),
            ("testkit", &[("async-nats", None)]),
            ("tests", &[("async-nats", Some("dev"))]),
        ]);
        assert_eq!(
            on_the_brokers_client(&planted),
            ["testkit names async-nats; only bus may"]
        );
    }

    #[test]
    fn a_second_user_of_the_client_of_s3_is_found() {
        let planted = workspace(&[
            ("files", &[("object_store", None)]),
            ("egress", &[("object_store", Some("dev"))]),
        ]);
        assert_eq!(
            on_the_client_of_s3(&planted),
            ["egress names object_store; only files may"]
        );
    }

    #[test]
    fn an_impure_dependency_is_found_behind_another() {
        let planted = workspace(&[
            ("domain", &[("helper", None), ("governor", Some("dev"))]),
            ("helper", &[("tokio", None)]),
            ("bus", &[("tokio", None)]),
        ]);
        assert_eq!(of_pure_crates(&planted), ["domain reaches tokio"]);
    }

    #[test]
    fn a_shipped_testkit_is_found() {
        let planted = workspace(&[
            ("egress", &[("testkit", Some("dev"))]),
            ("chatbot", &[("testkit", None)]),
            ("tests", &[("testkit", None)]),
        ]);
        assert_eq!(
            on_testkit(&planted),
            ["chatbot links testkit; it is a dev-dependency"]
        );
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[workspace.dependencies]\n# Ours.\nbus = { path = \"bus\" }\n\nnaked = \"1\"\n\
                        # Why.\none = \"1\"\ntwo = \"1\"\nthree = \"1\"\n\n[profile.dev]\ndebug = false\n";
        let expected = [
            "Cargo.toml gives no reason for: naked = \"1\"",
            "Cargo.toml gives no reason for: three = \"1\"",
        ];
        assert_eq!(without_reason(manifest), expected);
    }
}
