//! The documents that other languages read: a JSON Schema for every wire type, and one AsyncAPI 3.0 document
//! of all channels, made from the same [`topology`](crate::topology) that the broker is set up from.
//!
//! Both are committed, as `schemas/` and `asyncapi.json`; `tests/drift.rs` fails when they are not what this
//! module makes.

mod channels;
mod operations;
mod schemas;

use serde_json::{Value, json};

use crate::topology::ATTACHMENTS;
use crate::wire::{MESSAGE_ID, MESSAGE_TYPE, TRACEPARENT};

pub use schemas::{NamedSchema, schemas};

/// The AsyncAPI document. Its payloads point to the files under `schemas/`.
pub fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Chat-bot pipeline",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the services say to each other over NATS JetStream. Streams, consumers and \
                buckets stand in `x-jetstream`. Generated from the crate `proto-schemas`: do not edit.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "nats": {
                "host": "{host}",
                "protocol": "nats",
                "description": "One NATS server or cluster with JetStream, release 2.12 or newer.",
                "variables": {"host": {"default": "localhost:4222"}},
            },
        },
        "channels": channels::all(),
        "operations": operations::all(),
        "components": {"messages": messages()},
        "x-object-stores": {
            ATTACHMENTS.name: {
                "description": "Files, both directions. Messages hold their keys.",
                "ttl_seconds": ATTACHMENTS.ttl.as_secs(),
            },
        },
    })
}

/// Every message by its wire type.
fn messages() -> Value {
    let from_here = schemas()
        .into_iter()
        .filter(|schema| schema.on_the_bus)
        .map(|schema| {
            (
                schema.name.to_owned(),
                message(schema.name, Some(schema.file_name())),
            )
        });
    let from_registry = channels::CONFIGURATION.iter().map(|configuration| {
        (
            configuration.carries.to_owned(),
            message(configuration.carries, None),
        )
    });
    from_here.chain(from_registry).collect()
}

fn message(name: &str, schema_file: Option<String>) -> Value {
    let mut message = json!({
        "name": name,
        "contentType": "application/json",
        "headers": headers(name),
    });
    match schema_file {
        Some(file) => message["payload"] = json!({"$ref": format!("./schemas/{file}")}),
        None => {
            message["description"] =
                json!("The form is the one of `chatbot apply`; the crate `registry` holds it.")
        }
    }
    message
}

fn headers(name: &str) -> Value {
    json!({
        "type": "object",
        "required": [MESSAGE_TYPE],
        "properties": {
            MESSAGE_TYPE: {"const": name, "description": "Type and version, checked before decoding."},
            TRACEPARENT: {"type": "string", "description": "W3C Trace Context."},
            MESSAGE_ID: {"type": "string", "description": "By it the server recognises a repeated publish."},
        },
    })
}
