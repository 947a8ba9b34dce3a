//! The keys of a manifest as tables, from the JSON Schema of its types.

use std::collections::VecDeque;
use std::fmt::Write as _;

use registry::Manifest;
use schemars::schema_for;
use serde_json::Value;

const DEFINITIONS: &str = "#/$defs/";

/// A section for each type, in the order in which a manifest comes to them.
pub(crate) fn reference() -> String {
    let root = schema_for!(Manifest).to_value();
    let mut text = String::from("## Keys of a manifest\n\n");
    text += &paragraph(&root);
    text += &table(&root);
    let mut names: VecDeque<String> = named_in(&root["properties"]).into();
    let mut done: Vec<String> = Vec::new();
    while let Some(name) = names.pop_front() {
        if done.contains(&name) {
            continue;
        }
        let definition = &root["$defs"][&name];
        // Writing to a String cannot fail.
        let _written = write!(text, "\n### {name}\n\n{}", paragraph(definition));
        text += &table(definition);
        text.truncate(text.trim_end().len());
        text.push('\n');
        names.extend(named_in(definition));
        done.push(name);
    }
    text
}

fn paragraph(schema: &Value) -> String {
    description(schema).map_or_else(String::new, |description| format!("{description}\n\n"))
}

/// A schema's text in one line, as a cell of a table takes it.
fn description(schema: &Value) -> Option<String> {
    Some(
        schema["description"]
            .as_str()?
            .replace('\n', " ")
            .replace('|', "\\|"),
    )
}

/// What a type is made of: the keys of an object, or the choices of an enum.
fn table(schema: &Value) -> String {
    match schema["properties"].as_object() {
        Some(properties) => {
            let mut text = "| Key | Type | Default | Meaning |\n|---|---|---|---|\n".to_owned();
            for (key, property) in properties {
                text += &row(key, property, is_required(schema, key));
            }
            text
        }
        None if alternatives(schema).next().is_some() => choices(schema),
        // Its description says how it is written.
        None => String::new(),
    }
}

fn row(key: &str, property: &Value, required: bool) -> String {
    let given = property.get("default").filter(|default| !default.is_null());
    let default = match given {
        _ if required => "required".to_owned(),
        Some(default) => format!("`{default}`"),
        None => String::new(),
    };
    let meaning = description(property).unwrap_or_default();
    format!("| `{key}` | {} | {default} | {meaning} |\n", kind(property))
}

fn is_required(schema: &Value, key: &str) -> bool {
    let mut required = schema["required"].as_array().into_iter().flatten();
    required.any(|name| name == key)
}

fn choices(schema: &Value) -> String {
    let mut text = "| Value | Meaning |\n|---|---|\n".to_owned();
    for choice in alternatives(schema) {
        let meaning = description(choice).unwrap_or_default();
        // Writing to a String cannot fail.
        let _written = writeln!(text, "| {} | {meaning} |", kind(choice));
    }
    text
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    let of = |key: &str| schema[key].as_array().into_iter().flatten();
    of("oneOf").chain(of("anyOf"))
}

/// What a value is, in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = name_of(schema) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(constant) = schema["const"].as_str() {
        return format!("`{constant}`");
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words
            .iter()
            .map(|word| format!("`{word}`").replace('"', ""))
            .collect();
        return words.join(" or ");
    }
    let alternatives: Vec<String> = alternatives(schema)
        .filter(|one| one["type"] != "null")
        .map(kind)
        .collect();
    if !alternatives.is_empty() {
        return alternatives.join(" or ");
    }
    match type_of(schema) {
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") => object(schema),
        Some(name) => name.to_owned(),
        None => "any".to_owned(),
    }
}

/// The type that is not null.
fn type_of(schema: &Value) -> Option<&str> {
    let mut several = schema["type"].as_array().into_iter().flatten();
    let first = several.find_map(|name| name.as_str().filter(|name| *name != "null"));
    schema["type"].as_str().or(first)
}

/// A map, or one of a few keys with what is below it.
fn object(schema: &Value) -> String {
    match schema["properties"].as_object() {
        Some(properties) => {
            let keys = properties
                .iter()
                .map(|(key, below)| format!("`{key}`: {}", kind(below)));
            keys.collect::<Vec<_>>().join(", ")
        }
        None => format!("map of {}", kind(&schema["additionalProperties"])),
    }
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix(DEFINITIONS)
}

/// The types that a schema refers to, in order.
fn named_in(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(fields) => {
            let own = name_of(schema).map(str::to_owned);
            let below = fields.values().flat_map(named_in);
            own.into_iter().chain(below).collect()
        }
        Value::Array(items) => items.iter().flat_map(named_in).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}
