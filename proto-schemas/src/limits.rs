//! `limits`: what holds for all replicas of a service together: how much of the rate of an integration or a connection
//! is used up, and whether a webhook is asked at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::BrokerMicros;
use crate::wire::Wire;

/// How far a rate is used up, in time of the broker's clock, the only one that all replicas share. Written by
/// compare-and-set only; each write takes a lease of some calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimit {
    /// When the next call would be due if all came evenly at the rate (GCRA's theoretical arrival time). It lies
    /// ahead by as much as was taken in advance.
    pub next_arrival: BrokerMicros,
    /// Until when no call may begin at all, because who is called asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<BrokerMicros>,
}

impl Wire for RateLimit {
    const TYPE: &'static str = "rate-limit.v1";
}

/// Whether an integration's webhook is asked, as one replica found and all keep to. Written by compare-and-set only.
/// A record that is not there, or of other settings, means that it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CircuitBreaker {
    /// The revision of the settings with which it was found: the next ones begin afresh.
    pub settings: u64,
    /// What was found.
    #[serde(flatten)]
    pub circuit: Circuit,
}

impl Wire for CircuitBreaker {
    const TYPE: &'static str = "circuit-breaker.v1";
}

/// What was found of a webhook. Times count from when a replica hears of the record, so no clocks are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "circuit", rename_all = "snake_case")]
pub enum Circuit {
    /// It answers again.
    Closed,
    /// Too many calls have failed: it is left in peace for so long, and then tried out with one call.
    Open {
        /// For so long, in milliseconds.
        pause_millis: u64,
        /// How often in a row it was found failing, with this time.
        times: u32,
        /// The class of the last error.
        class: String,
    },
    /// One replica tries it out.
    HalfOpen {
        /// For so long nobody else does, in milliseconds; then that replica is taken for dead.
        lease_millis: u64,
        /// How often in a row it was found failing.
        times: u32,
        /// The class of the last error.
        class: String,
    },
    /// It said that it is gone for good (410).
    Gone,
}

impl Circuit {
    /// The name used in metrics and on the command line.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen { .. } => "half_open",
            Self::Gone => "gone",
        }
    }
}
