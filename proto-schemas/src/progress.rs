//! `progress`: how far work got, written only when something failed or takes several steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::content::{Attachment, StoredFile};
use crate::dead_letter::Attempt;
use crate::ids::UnixMillis;
use crate::wire::Wire;

/// The failed attempts of a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnProgress {
    /// What was tried, in order.
    pub attempts: Vec<Attempt>,
    /// Whether there is to be no further attempt: the turn is given up, with the class of the last one.
    #[serde(default)]
    pub exhausted: bool,
    /// Whether the bot's integration is given up and its fallback is asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fallen_back: bool,
    /// Since when the webhook that is asked is not called because its circuit breaker is open, if it ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused_since: Option<UnixMillis>,
}

impl Wire for TurnProgress {
    const TYPE: &'static str = "turn-progress.v1";
}

/// The parts of a delivery that the platform has taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryProgress {
    /// The platform's identifiers of the parts sent so far, in order.
    pub platform_message_ids: Vec<String>,
    /// How often sending has failed since the last part went out.
    pub failures: u32,
    /// The try of the next part that may be under way: kept only where no part may be sent twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_way: Option<String>,
}

impl Wire for DeliveryProgress {
    const TYPE: &'static str = "delivery-progress.v1";
}

/// The files of a fetch that lie in the object store already, so that a fetch that comes again need not bring them in
/// a second time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FetchProgress {
    /// One for each file of the fetch, in order; none for a file that is not stored.
    pub files: Vec<Option<StoredFile>>,
}

impl Wire for FetchProgress {
    const TYPE: &'static str = "fetch-progress.v1";
}

/// What became of a reply's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilesProgress {
    /// One outcome for each attachment of the reply, in order.
    pub files: Vec<OutgoingFile>,
}

impl Wire for FilesProgress {
    const TYPE: &'static str = "files-progress.v1";
}

/// A login link of the console that was used: its key is there once, so nobody else can use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsedLink {
    /// When.
    pub used_at: UnixMillis,
}

impl Wire for UsedLink {
    const TYPE: &'static str = "used-link.v1";
}

/// What became of one file of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OutgoingFile {
    /// It lies in the object store.
    Stored(StoredFile),
    /// It cannot be had; the text goes out with a link instead.
    Unavailable {
        /// What the webhook asked for.
        attachment: Attachment,
        /// Why, in words. Holds no secret.
        reason: String,
    },
}
