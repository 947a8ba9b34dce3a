//! The golden samples under `examples/`: one folder a type, kept for ever. A sample that stops to decode, or
//! decodes to something else, is a broken release.
#![expect(
    clippy::unwrap_used,
    reason = "the helper functions of a test may fail as loudly as the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use proto_schemas::asyncapi;
use proto_schemas::context::Context;
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::delivery::Delivery;
use proto_schemas::fetch::Fetch;
use proto_schemas::gateway::GatewayLease;
use proto_schemas::inbox::InboxEntry;
use proto_schemas::integration_test::{IntegrationTest, IntegrationTestReport};
use proto_schemas::limits::{CircuitBreaker, RateLimit};
use proto_schemas::progress::{DeliveryProgress, FetchProgress, FilesProgress, TurnProgress, UsedLink};
use proto_schemas::transcript::Transcript;
use proto_schemas::turn::Turn;
use proto_schemas::typing::Typing;
use proto_schemas::webhook::{WebhookReply, WebhookRequest};
use proto_schemas::wire::{self, Wire};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Decodes a payload and encodes it again.
type RoundTrip = fn(&str) -> Result<Value, String>;

const TYPES: [(&str, RoundTrip); 20] = [
    (InboxEntry::TYPE, on_the_bus::<InboxEntry>),
    (Context::TYPE, on_the_bus::<Context>),
    (Turn::TYPE, on_the_bus::<Turn>),
    (Fetch::TYPE, on_the_bus::<Fetch>),
    (Delivery::TYPE, on_the_bus::<Delivery>),
    (Transcript::TYPE, on_the_bus::<Transcript>),
    (DeadLetter::TYPE, on_the_bus::<DeadLetter>),
    (TurnProgress::TYPE, on_the_bus::<TurnProgress>),
    (DeliveryProgress::TYPE, on_the_bus::<DeliveryProgress>),
    (FetchProgress::TYPE, on_the_bus::<FetchProgress>),
    (FilesProgress::TYPE, on_the_bus::<FilesProgress>),
    (UsedLink::TYPE, on_the_bus::<UsedLink>),
    (RateLimit::TYPE, on_the_bus::<RateLimit>),
    (CircuitBreaker::TYPE, on_the_bus::<CircuitBreaker>),
    (Typing::TYPE, on_the_bus::<Typing>),
    (GatewayLease::TYPE, on_the_bus::<GatewayLease>),
    (IntegrationTest::TYPE, on_the_bus::<IntegrationTest>),
    (IntegrationTestReport::TYPE, on_the_bus::<IntegrationTestReport>),
    ("webhook-request.v1", over_http::<WebhookRequest>),
    (WEBHOOK_REPLY, over_http::<WebhookReply>),
];
/// Only ever read by us: what its author leaves out comes back as the default.
const WEBHOOK_REPLY: &str = "webhook-reply.v1";

/// Fields that hold a map, or an enum told apart by its only key: nothing is added inside them.
const CLOSED_FIELDS: [&str; 4] = ["body", "headers", "metadata", "payload"];

struct Sample {
    path: String,
    valid: bool,
    text: String,
}

impl Sample {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }
}

#[test]
fn every_schema_has_samples_both_good_and_bad() {
    let schemas: BTreeSet<&str> = asyncapi::schemas().iter().map(|schema| schema.name).collect();
    assert_eq!(
        TYPES.iter().map(|(name, _)| *name).collect::<BTreeSet<_>>(),
        schemas
    );
    for (name, _) in TYPES {
        let samples = samples(name);
        for wanted in ["minimal.json", "full.json"] {
            assert!(
                samples.iter().any(|sample| sample.path.ends_with(wanted)),
                "{name} has no {wanted}"
            );
        }
        assert!(
            samples.iter().any(|sample| !sample.valid),
            "{name} has no invalid-*.json"
        );
    }
}

#[test]
fn good_samples_fit_their_schema() {
    for schema in asyncapi::schemas() {
        let validator = jsonschema::validator_for(&schema.schema).unwrap();
        for sample in samples(schema.name).iter().filter(|sample| sample.valid) {
            let errors: Vec<String> = validator
                .iter_errors(&sample.json())
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{}: {errors:?}", sample.path);
        }
    }
}

#[test]
fn every_field_appears_in_a_good_sample() {
    for schema in asyncapi::schemas() {
        let mut declared = BTreeSet::new();
        walk(&schema.schema, &mut |name, value| {
            if name == "properties" {
                declared.extend(
                    value
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(field, _)| field.clone()),
                );
            }
        });
        let mut shown = BTreeSet::new();
        for sample in samples(schema.name).iter().filter(|sample| sample.valid) {
            walk(&sample.json(), &mut |name, _| {
                shown.insert(name.to_owned());
            });
        }
        let missing: Vec<_> = declared.difference(&shown).collect();
        assert!(
            missing.is_empty(),
            "no sample of {} shows {missing:?}",
            schema.name
        );
    }
}

#[test]
fn good_samples_come_back_as_they_were() {
    for (name, round_trip) in TYPES {
        for sample in samples(name).iter().filter(|sample| sample.valid) {
            let again = round_trip(&sample.text).unwrap_or_else(|error| panic!("{}: {error}", sample.path));
            if name == WEBHOOK_REPLY {
                assert!(
                    holds(&again, &sample.json()),
                    "{} lost something: {again}",
                    sample.path
                );
            } else {
                assert_eq!(again, sample.json(), "{}", sample.path);
            }
        }
    }
}

#[test]
fn bad_samples_are_refused() {
    for (name, round_trip) in TYPES {
        for sample in samples(name).iter().filter(|sample| !sample.valid) {
            sample.json();
            assert!(round_trip(&sample.text).is_err(), "{} was accepted", sample.path);
        }
    }
}

#[test]
fn fields_of_a_later_version_are_ignored() {
    for (name, round_trip) in TYPES {
        for sample in samples(name).iter().filter(|sample| sample.valid) {
            let mut later = sample.json();
            add_field_everywhere(&mut later);
            assert_ne!(later, sample.json());
            let today = round_trip(&later.to_string());
            assert_eq!(today, round_trip(&sample.text), "{}", sample.path);
        }
    }
}

#[test]
fn a_payload_of_another_type_or_version_is_refused() {
    let text = &samples(TurnProgress::TYPE)[0].text;
    for message_type in [None, Some("turn.v1"), Some("turn-progress.v2")] {
        assert!(
            wire::decode::<TurnProgress>(message_type, text.as_bytes()).is_err(),
            "{message_type:?}"
        );
    }
}

fn on_the_bus<T: Wire>(text: &str) -> Result<Value, String> {
    let value: T = wire::decode(Some(T::TYPE), text.as_bytes()).map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&wire::encode(&value).unwrap()).unwrap())
}

fn over_http<T: Serialize + DeserializeOwned>(text: &str) -> Result<Value, String> {
    let value: T = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(value).unwrap())
}

/// Whether `whole` has everything that `part` has.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|found| holds(found, value))),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        _ => whole == part,
    }
}

fn walk(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                visit(name, field);
                walk(field, visit);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn add_field_everywhere(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if !CLOSED_FIELDS.contains(&name.as_str()) {
                    add_field_everywhere(field);
                }
            }
            fields.insert(
                "field_of_a_later_version".to_owned(),
                json!({"nested": [1, null, "x"]}),
            );
        }
        Value::Array(items) => items.iter_mut().for_each(add_field_everywhere),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn samples(name: &str) -> Vec<Sample> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let file = entry.file_name().into_string().unwrap();
            Sample {
                path: format!("examples/{name}/{file}"),
                valid: !file.starts_with("invalid-"),
                text: fs::read_to_string(entry.path()).unwrap(),
            }
        })
        .collect()
}
