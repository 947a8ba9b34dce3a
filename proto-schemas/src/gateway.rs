//! `gateways`: which replica of ingress reads a connection's messages over a socket that it opened itself, and how far
//! it has read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::wire::Wire;

/// The one replica that may read a connection's Gateway. Written by compare-and-set only.
///
/// No clocks are compared: who finds a record that does not change for as long as it says may take it over. The
/// holder counts from before each of its writes, so its time is over first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayLease {
    /// Who has it; none when it was given back. A name of this one lease, which no other has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// How long others wait for the next write of the holder, in milliseconds.
    pub lease_millis: u64,
    /// The session at the platform; none before there is one, or when the platform has ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<GatewaySession>,
}

impl Wire for GatewayLease {
    const TYPE: &'static str = "gateway-lease.v1";
}

/// A session of Discord's Gateway, as whoever holds the lease next goes on with it (`channels.md`, section 4.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GatewaySession {
    /// Its identifier. Without the bot's token it opens nothing.
    pub id: String,
    /// Where it goes on.
    pub resume_url: String,
    /// All events up to this one are dealt with: their messages are in the inbox.
    pub sequence: u64,
    /// The bot as a user of the platform.
    pub bot_user: String,
}
