//! What strangers might send: the seeds of a fuzz target with changes, or anything at all.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// Where the fuzz targets are.
pub(crate) fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The seeds of a target, always in the same order. There are some.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = fuzz_folder().join("corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Inputs of a target.
pub(crate) fn inputs(target: &str) -> impl Strategy<Value = Vec<u8>> {
    let changed =
        (select(seeds(target)), prop::collection::vec(change(), 0..6)).prop_map(|(seed, changes)| {
            changes
                .into_iter()
                .fold(seed, |input, change| change.made_to(input))
        });
    prop_oneof![
        8 => changed,
        1 => "\\PC{0,300}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..300),
    ]
}

/// A change of an input.
#[derive(Debug, Clone)]
enum Change {
    /// So many bytes are replaced.
    Bytes { at: Index, removed: usize, put: Vec<u8> },
    /// One of the values in it, where it is JSON.
    Value { at: Index, put: Value },
}

fn change() -> impl Strategy<Value = Change> {
    let pieces = select(vec![
        "null",
        "\"\"",
        "-1",
        "1e400",
        "18446744073709551616",
        "{}",
        "[[[[",
        "\\ud800",
        "😀",
        "\u{202e}",
        "\0",
        "\n",
        "**",
        "`",
        "```\n",
        "[",
        "](",
        "> ",
        "\n\n",
        "@everyone",
        "<!here>",
        "&lt;",
        "%00",
        "../",
        "\u{3000}",
    ]);
    let put = prop_oneof![
        pieces.prop_map(|piece| piece.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..6),
        ("[a-z *_`|\n-]{1,4}", 1_usize..1000).prop_map(|(text, count)| text.repeat(count).into_bytes()),
    ];
    let values = select(vec![
        Value::Null,
        json!(""),
        json!(" "),
        json!(-1),
        json!(u64::MAX),
        json!(1.5),
        json!(true),
        json!([]),
        json!({}),
        json!("/reset"),
        json!("@example_bot"),
        json!("\u{0}../\u{202e}"),
        json!("x".repeat(300)),
        json!("é".repeat(70_000)),
        json!("http://a.test/é?"),
        json!([{"id": "F1"}]),
    ]);
    prop_oneof![
        (any::<Index>(), 0_usize..12, put).prop_map(|(at, removed, put)| Change::Bytes { at, removed, put }),
        (any::<Index>(), values).prop_map(|(at, put)| Change::Value { at, put }),
    ]
}

impl Change {
    fn made_to(self, mut input: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Bytes { at, removed, put } => {
                let start = at.index(input.len() + 1);
                let end = input.len().min(start + removed);
                input.splice(start..end, put);
                input
            }
            Self::Value { at, put } => {
                let Ok(mut document) = serde_json::from_slice::<Value>(&input) else {
                    return input;
                };
                let mut pointers = Vec::new();
                list(&document, &mut String::new(), &mut pointers);
                let pointer = &pointers[at.index(pointers.len())];
                *document.pointer_mut(pointer).unwrap() = put;
                document.to_string().into_bytes()
            }
        }
    }
}

/// The pointers of all values in a document.
fn list(value: &Value, pointer: &mut String, pointers: &mut Vec<String>) {
    pointers.push(pointer.clone());
    let length = pointer.len();
    let members: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, member) in members {
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        list(member, pointer, pointers);
        pointer.truncate(length);
    }
}
