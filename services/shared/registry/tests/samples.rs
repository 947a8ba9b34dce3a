//! The golden samples under `examples/`: entries of the `registry` bucket as they are stored, kept for ever. One
//! that stops to decode, or comes back otherwise, is a broken release.
#![expect(
    clippy::unwrap_used,
    reason = "the helper functions of a test may fail as loudly as the test"
)]

use std::fs;
use std::path::PathBuf;

use proto_schemas::wire::{self, Wire};
use registry::{Format, Integration};
use serde_json::Value;

#[test]
fn stored_integrations_come_back_as_they_were() {
    for name in ["minimal", "full", "openai", "anthropic", "breaker"] {
        let text = sample(name);
        let again = wire::encode(&integration(name)).unwrap();
        let (stored, again): (Value, Value) = (
            serde_json::from_str(&text).unwrap(),
            serde_json::from_slice(&again).unwrap(),
        );
        assert_eq!(again, stored, "{name}");
    }
}

#[test]
fn an_integration_stored_before_there_were_formats_speaks_the_guides() {
    assert_eq!(integration("minimal").format, Format::Platform);
}

fn integration(name: &str) -> Integration {
    wire::decode(Some(Integration::TYPE), sample(name).as_bytes()).unwrap()
}

fn sample(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(Integration::TYPE)
        .join(format!("{name}.json"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
