//! The operator's configuration: bots, integrations (webhooks) and connections (accounts of channels).
//!
//! It lies in the `registry` bucket, is watched by every service and applied without a restart. Secrets are
//! never in it: it names the environment variable or the file that holds them.

mod format;
mod secret;
mod snapshot;
mod span;
mod spec;
mod split;
mod validate;

pub use format::{AnthropicSettings, Format, OpenaiSettings};
pub use secret::{Secret, SecretError, SecretRef};
pub use snapshot::{Registry, Snapshot, integration_key};
pub use span::Span;
pub use spec::{
    Bot, Breaker, Connection, ConnectionChannel, ContextPolicy, ConversationScope, DiscordConnection,
    EditPolicy, Gateway, GroupPolicy, HeaderValue, HttpConnection, Integration, IntegrationLimits, Manifest,
    Overlap, RetryBudget, SlackConnection, TelegramConnection, UnknownOutcome,
};
pub use split::{Arm, Split, SplitBy};
pub use validate::{AllowedSecrets, Problem, check_gateways, check_manifest, reads_gateways};
