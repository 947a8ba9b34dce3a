//! Several webhooks that share what a bot is asked.

use proto_schemas::ids::IntegrationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Several webhooks that are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Split {
    /// What keeps its webhook.
    #[serde(default)]
    pub by: SplitBy,
    /// The webhooks. 2 to 10, each once.
    #[serde(default)]
    pub arms: Vec<Arm>,
}

/// What keeps its webhook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// A conversation is always answered by the same.
    #[default]
    Conversation,
    /// Each message is shared out by itself.
    Message,
}

/// A webhook of a split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arm {
    /// The webhook.
    pub integration: IntegrationId,
    /// Its share is this out of the sum of all weights; with 0 it gets nothing. 0 to 1000, one arm at least above 0;
    /// default 1.
    #[serde(default = "default_weight")]
    pub weight: u32,
}

fn default_weight() -> u32 {
    1
}
