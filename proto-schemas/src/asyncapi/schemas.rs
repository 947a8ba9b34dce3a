//! The JSON Schemas, by wire type.

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

use crate::context::Context;
use crate::dead_letter::DeadLetter;
use crate::delivery::Delivery;
use crate::fetch::Fetch;
use crate::gateway::GatewayLease;
use crate::inbox::InboxEntry;
use crate::integration_test::{IntegrationTest, IntegrationTestReport};
use crate::limits::{CircuitBreaker, RateLimit};
use crate::progress::{DeliveryProgress, FetchProgress, FilesProgress, TurnProgress, UsedLink};
use crate::transcript::Transcript;
use crate::turn::Turn;
use crate::typing::Typing;
use crate::webhook::{WebhookReply, WebhookRequest};
use crate::wire::Wire;

/// A JSON Schema (2020-12) and the type it describes.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedSchema {
    /// Type and version, as `turn.v1`.
    pub name: &'static str,
    /// Whether it travels on a subject or lies in a bucket; otherwise it travels over HTTP.
    pub on_the_bus: bool,
    /// The schema.
    pub schema: Value,
}

impl NamedSchema {
    /// The file under `schemas/` that holds it.
    pub fn file_name(&self) -> String {
        format!("{}.schema.json", self.name)
    }
}

/// All schemas: first what travels on the bus, in the order a message meets it, then what webhooks see.
pub fn schemas() -> Vec<NamedSchema> {
    vec![
        wire::<InboxEntry>(),
        wire::<Context>(),
        wire::<Turn>(),
        wire::<Fetch>(),
        wire::<Delivery>(),
        wire::<Transcript>(),
        wire::<DeadLetter>(),
        wire::<TurnProgress>(),
        wire::<DeliveryProgress>(),
        wire::<FetchProgress>(),
        wire::<FilesProgress>(),
        wire::<UsedLink>(),
        wire::<RateLimit>(),
        wire::<CircuitBreaker>(),
        wire::<Typing>(),
        wire::<GatewayLease>(),
        wire::<IntegrationTest>(),
        wire::<IntegrationTestReport>(),
        http::<WebhookRequest>("webhook-request.v1"),
        http::<WebhookReply>("webhook-reply.v1"),
    ]
}

fn wire<T: Wire>() -> NamedSchema {
    NamedSchema {
        name: T::TYPE,
        on_the_bus: true,
        schema: schema_for!(T).to_value(),
    }
}

fn http<T: JsonSchema>(name: &'static str) -> NamedSchema {
    NamedSchema {
        name,
        on_the_bus: false,
        schema: schema_for!(T).to_value(),
    }
}
