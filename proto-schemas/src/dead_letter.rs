//! `DEAD_LETTERS`: what we gave up on, with cause, attempts and payload.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{DeadLetterId, IntegrationId, UnixMillis};
use crate::wire::Wire;

/// The services, as dead letters, consumers and metrics name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Takes what the platforms push.
    Ingress,
    /// Decides what is due.
    ContextBuilder,
    /// Calls webhooks.
    WebhookCaller,
    /// Brings files in.
    AttachmentFetcher,
    /// Sends replies.
    Egress,
}

impl Stage {
    /// All stages, in the order a message meets them.
    pub const ALL: [Self; 5] = [
        Self::Ingress,
        Self::ContextBuilder,
        Self::WebhookCaller,
        Self::AttachmentFetcher,
        Self::Egress,
    ];

    /// Folder, binary, consumer and label: one name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingress => "ingress",
            Self::ContextBuilder => "context-builder",
            Self::WebhookCaller => "webhook-caller",
            Self::AttachmentFetcher => "attachment-fetcher",
            Self::Egress => "egress",
        }
    }
}

/// Work that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The dead letter.
    pub id: DeadLetterId,
    /// Who gave up.
    pub stage: Stage,
    /// The class of the cause: one token, as `timeout` or `undecodable`.
    pub class: String,
    /// The cause in words. Holds no secret.
    pub cause: String,
    /// What was tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// The stream that the work came from; none when it came from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The subject that the work came on, or the route.
    pub subject: String,
    /// The headers of the work that a replay needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The work itself.
    pub payload: Payload,
    /// When it was given up.
    pub buried_at: UnixMillis,
}

impl Wire for DeadLetter {
    const TYPE: &'static str = "dead-letter.v1";
}

/// The bytes of given-up work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    /// They are text.
    Text(String),
    /// They are not; hexadecimal.
    Hex(String),
    /// They are too large for a dead letter and lie in the object store under this key.
    Object(String),
}

/// One HTTP call that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// When it began.
    pub at: UnixMillis,
    /// The integration that was called.
    pub integration: IntegrationId,
    /// The class of the error.
    pub class: String,
    /// The HTTP status, if there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error in words. Holds no secret.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub millis: u64,
}
