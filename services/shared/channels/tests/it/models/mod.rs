//! The types of independent crates read what the fakes send and what we send: neither follows from our own reading of
//! the platforms' documents.

mod slack;
mod telegram;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The value as the model has it.
///
/// # Panics
/// When the model cannot read it.
fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value:#}"))
}

/// Reads the value and writes it again: members that the model does not know, but for these, are typing errors of ours.
fn read_whole<T: DeserializeOwned + Serialize>(value: &Value, unknown: &[&str]) -> T {
    let model: T = read(value);
    let written = serde_json::to_value(&model).unwrap();
    let mut expected = value.clone();
    for member in unknown {
        assert!(
            expected.as_object_mut().unwrap().remove(*member).is_some(),
            "{member} is not sent"
        );
    }
    is_kept(&expected, &written, "");
    model
}

fn is_kept(expected: &Value, written: &Value, at: &str) {
    match (expected, written) {
        (Value::Object(members), Value::Object(_)) => {
            for (name, member) in members {
                is_kept(member, &written[name], &format!("{at}/{name}"));
            }
        }
        (Value::Array(items), Value::Array(others)) => {
            assert_eq!(items.len(), others.len(), "{at}");
            for (index, (item, other)) in items.iter().zip(others).enumerate() {
                is_kept(item, other, &format!("{at}/{index}"));
            }
        }
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _)
        | (Value::Object(_) | Value::Array(_), _) => assert_eq!(expected, written, "{at}"),
    }
}
