//! The rules of the workspace that no compiler knows: who may depend on whom, what a service's folder holds,
//! which licences come in. Read from `cargo metadata`, the manifests and the tree.
//!
//! The rules are pure functions in the modules below; each is shown there to fail on a planted violation.

mod dependencies;
mod documents;
mod licences;
mod metadata;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use metadata::Workspace;

#[test]
fn services_never_depend_on_each_other() {
    none(dependencies::between_services(&workspace()));
}

#[test]
fn only_bus_names_the_brokers_client() {
    none(dependencies::on_the_brokers_client(&workspace()));
}

#[test]
fn only_files_names_the_client_of_s3() {
    none(dependencies::on_the_client_of_s3(&workspace()));
}

#[test]
fn pure_crates_reach_no_runtime_and_no_network() {
    none(dependencies::of_pure_crates(&workspace()));
}

#[test]
fn the_testkit_is_in_no_shipped_program() {
    none(dependencies::on_testkit(&workspace()));
}

#[test]
fn every_external_dependency_has_its_reason() {
    none(dependencies::without_reason(&read("Cargo.toml")));
}

#[test]
fn every_licence_is_on_the_list_of_deny_toml() {
    let allowed = licences::allowed(&read("deny.toml"));
    assert!(allowed.contains("MIT"), "deny.toml was not understood");
    none(licences::not_allowed(&workspace(), &allowed));
}

#[test]
fn the_top_level_holds_the_known_folders_only() {
    none(tree::unknown_folders(&tree::files(&root())));
}

#[test]
fn no_file_names_a_place_on_a_developers_machine() {
    none(tree::machine_paths(&tree::texts(&root())));
}

#[test]
fn no_source_is_left_unfinished() {
    none(tree::unfinished(&tree::texts(&root())));
}

#[test]
fn every_service_looks_the_same_inside() {
    none(tree::missing_in_services(&tree::files(&root())));
}

#[test]
fn the_tests_that_documents_name_are_there() {
    let texts = tree::texts(&root());
    let (documents, texts): (Vec<_>, Vec<_>) = texts.into_iter().partition(|text| text.path.ends_with(".md"));
    none(documents::names_of_nothing(&documents, &texts));
}

/// Fails with every violation at once.
fn none(violations: Vec<String>) {
    assert!(violations.is_empty(), "\n  {}\n", violations.join("\n  "));
}

fn workspace() -> Workspace {
    metadata::read(&root())
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the workspace")
        .to_owned()
}
