//! `limits`: how much of a rate is used up, for the whole cluster. Times are of the broker's clock, the only one that
//! all replicas share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::BrokerMicros;
use crate::wire::Wire;

/// How far a rate is used up. Written by compare-and-set only; each write takes a lease of some calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimit {
    /// When the next call would be due if all came evenly at the rate (GCRA's theoretical arrival time). It lies
    /// ahead by as much as was taken in advance.
    pub next_arrival: BrokerMicros,
}

impl Wire for RateLimit {
    const TYPE: &'static str = "rate-limit.v1";
}
