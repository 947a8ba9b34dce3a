//! The committed documents are what the types and the topology make of them.
//!
//! `UPDATE=1 cargo test -p proto-schemas --test drift` (`make schemas`) writes them instead.
#![expect(
    clippy::unwrap_used,
    reason = "the helper functions of a test may fail as loudly as the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proto_schemas::{access, asyncapi};
use serde_json::Value;

#[test]
fn committed_schemas_are_the_generated_ones() {
    let folder = root().join("schemas");
    let generated: BTreeMap<String, String> = asyncapi::schemas()
        .iter()
        .map(|schema| (schema.file_name(), text(&schema.schema)))
        .collect();
    if updating() {
        replace_folder(&folder, &generated);
    }
    let committed: BTreeMap<String, String> = file_names(&folder)
        .into_iter()
        .map(|name| (name.clone(), fs::read_to_string(folder.join(name)).unwrap()))
        .collect();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&committed), names(&generated), "run `make schemas`");
    for (name, schema) in generated {
        assert_eq!(
            committed[&name], schema,
            "{name} differs from its type: run `make schemas`"
        );
    }
}

#[test]
fn the_committed_asyncapi_document_is_the_generated_one() {
    let file = root().join("asyncapi.json");
    let generated = text(&asyncapi::document());
    if updating() {
        fs::write(&file, &generated).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        committed, generated,
        "asyncapi.json differs from the topology: run `make schemas`"
    );
}

#[test]
fn the_committed_rights_of_the_brokers_users_are_the_generated_ones() {
    let file = root().join("../deploy/nats/auth.conf");
    let generated = access::server_template();
    if updating() {
        fs::write(&file, &generated).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        committed, generated,
        "deploy/nats/auth.conf differs from the rights: run `make schemas`"
    );
}

#[test]
fn every_reference_in_the_asyncapi_document_leads_somewhere() {
    let document = asyncapi::document();
    let files: Vec<String> = asyncapi::schemas()
        .iter()
        .map(|schema| format!("./schemas/{}", schema.file_name()))
        .collect();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(
        references.len() > 20,
        "only {} references were found",
        references.len()
    );
    for reference in references {
        let found = match reference.strip_prefix('#') {
            Some(pointer) => document.pointer(pointer).is_some(),
            None => files.contains(&reference),
        };
        assert!(found, "{reference} leads nowhere");
    }
}

#[test]
fn every_wire_type_in_the_sources_has_a_schema() {
    let known: BTreeSet<String> = asyncapi::schemas()
        .iter()
        .map(|schema| schema.name.to_owned())
        .collect();
    let sources = root().join("src");
    let mut declared = BTreeSet::new();
    for name in file_names(&sources) {
        let source = fs::read_to_string(sources.join(name)).unwrap();
        let types = source.split("const TYPE: &'static str = \"").skip(1);
        declared.extend(types.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()));
    }
    assert!(
        !declared.is_empty(),
        "no wire type was found: the sources are written otherwise"
    );
    let missing: Vec<_> = declared.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "asyncapi/schemas.rs does not list {missing:?}"
    );
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.push(reference.clone());
            }
            fields.values().for_each(|field| collect_references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn replace_folder(folder: &Path, files: &BTreeMap<String, String>) {
    fs::create_dir_all(folder).unwrap();
    for stale in file_names(folder)
        .into_iter()
        .filter(|name| !files.contains_key(name))
    {
        fs::remove_file(folder.join(stale)).unwrap();
    }
    for (name, content) in files {
        fs::write(folder.join(name), content).unwrap();
    }
}

fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
