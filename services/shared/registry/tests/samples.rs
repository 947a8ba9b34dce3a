//! The golden samples under `examples/`: entries of the `registry` bucket as they are stored, kept for ever. One
//! that stops to decode, or comes back otherwise, is a broken release.
#![expect(
    clippy::unwrap_used,
    reason = "the helper functions of a test may fail as loudly as the test"
)]

use std::fs;
use std::path::PathBuf;

use proto_schemas::wire::{self, Wire};
use registry::{Bot, Format, Integration};
use serde_json::Value;

#[test]
fn stored_integrations_come_back_as_they_were() {
    for name in ["minimal", "full", "openai", "anthropic", "breaker"] {
        comes_back::<Integration>(name);
    }
}

#[test]
fn stored_bots_come_back_as_they_were() {
    for name in ["minimal", "full", "split", "split-by-message"] {
        comes_back::<Bot>(name);
    }
}

#[test]
fn an_integration_stored_before_there_were_formats_speaks_the_guides() {
    assert_eq!(stored::<Integration>("minimal").format, Format::Platform);
}

#[test]
fn a_bot_stored_before_there_were_splits_has_its_integration() {
    let bot = stored::<Bot>("minimal");
    assert_eq!(bot.integration.unwrap().as_str(), "support-api");
    assert_eq!(bot.split, None);
}

fn comes_back<T: Wire>(name: &str) {
    let again = wire::encode(&stored::<T>(name)).unwrap();
    let (stored, again): (Value, Value) = (
        serde_json::from_str(&sample::<T>(name)).unwrap(),
        serde_json::from_slice(&again).unwrap(),
    );
    assert_eq!(again, stored, "{name}");
}

fn stored<T: Wire>(name: &str) -> T {
    wire::decode(Some(T::TYPE), sample::<T>(name).as_bytes()).unwrap()
}

fn sample<T: Wire>(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(T::TYPE)
        .join(format!("{name}.json"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
