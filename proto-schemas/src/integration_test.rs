//! Test Integration: one call of a webhook on an operator's word, asked for and answered by request-reply. Nothing of
//! it is stored.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{Attachment, Button};
use crate::ids::IntegrationId;
use crate::wire::Wire;

/// The longest message, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// The longest that a test waits for the integration's limits before it is given up.
pub const MAX_WAIT: Duration = Duration::from_secs(10);
/// What the answer may take on its way, besides the call and the wait.
const ON_THE_WAY: Duration = Duration::from_secs(5);

/// How long to wait for the report about a webhook with this timeout.
pub fn report_within(timeout: Duration) -> Duration {
    timeout + MAX_WAIT + ON_THE_WAY
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntegrationTest {
    /// The webhook.
    pub integration: IntegrationId,
    /// What the user of the sample conversation says; at most 16384 bytes.
    pub message: String,
    /// Whether the request is only to be shown, and nothing sent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub preview_only: bool,
}

impl Wire for IntegrationTest {
    const TYPE: &'static str = "integration-test.v1";
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What came of it. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IntegrationTestReport {
    /// The webhook.
    pub integration: IntegrationId,
    /// The request as it was sent or would be; none when it could not be built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<ShownRequest>,
    /// How it ended.
    pub outcome: TestOutcome,
    /// What the call took; none when there was no call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

impl Wire for IntegrationTestReport {
    const TYPE: &'static str = "integration-test-report.v1";
}

/// A request for people to see: secrets, signatures and the values of the query are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownRequest {
    /// The HTTP method.
    pub method: String,
    /// Where it goes.
    pub url: String,
    /// The headers that we set, by their lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The JSON that is sent.
    pub body: serde_json::Value,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TestOutcome {
    /// Nothing was sent, as was asked for.
    Preview,
    /// The webhook gave a usable answer.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The text that the user would be sent.
        content: String,
        /// The files that would go along.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        attachments: Vec<Attachment>,
        /// The buttons that would go along.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        buttons: Vec<Button>,
        /// What the transcript would keep.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<serde_json::Map<String, serde_json::Value>>,
    },
    /// The webhook answered that there is nothing to say.
    NoReply {
        /// The HTTP status.
        status: u16,
    },
    /// The call failed, or its answer was unusable.
    Failure {
        /// The class of the error.
        class: String,
        /// The HTTP status, if there was an answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// The error in words.
        detail: String,
        /// What to look at.
        hint: String,
    },
    /// The test was not made, or its call was lost.
    Refused {
        /// Why.
        reason: Refusal,
        /// The same in words.
        detail: String,
    },
}

impl TestOutcome {
    /// The name used in logs.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Preview => "preview",
            Self::Reply { .. } => "reply",
            Self::NoReply { .. } => "no_reply",
            Self::Failure { class, .. } => class,
            Self::Refused { reason, .. } => reason.as_str(),
        }
    }
}

/// Why there is no result of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// There is no such webhook.
    UnknownIntegration,
    /// The request cannot be read, or its message is too long.
    Unusable,
    /// As many tests are being made as may be.
    TooManyTests,
    /// The webhook's limits left no room in time.
    LimitReached,
    /// The worker with the call died.
    Interrupted,
}

impl Refusal {
    /// The name used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownIntegration => "unknown_integration",
            Self::Unusable => "unusable",
            Self::TooManyTests => "too_many_tests",
            Self::LimitReached => "limit_reached",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What the parts of a call took, in microseconds. A part that did not take place, or did not end, has no time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Looking the name up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns_micros: Option<u64>,
    /// The TCP connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_micros: Option<u64>,
    /// The TLS handshake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_micros: Option<u64>,
    /// From the connection that stands to the head of the response: sending, and the webhook's thinking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_micros: Option<u64>,
    /// All of it, the response's body included.
    pub total_micros: u64,
}
