//! `typing.*`: somebody waits for an answer. Past all streams: nothing is stored, and one that is lost does no harm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::ReplyAddress;
use crate::ids::ConnectionId;
use crate::wire::Wire;

/// The bot is working on an answer, and the chat may show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Typing {
    /// The connection.
    pub connection: ConnectionId,
    /// Where the answer will go.
    pub address: ReplyAddress,
}

impl Wire for Typing {
    const TYPE: &'static str = "typing.v1";
}
