//! What holds for every input, as functions that panic where it does not.
//!
//! The fuzz targets (`tests/fuzz`) and the properties of `make test` (`tests/it`) call the same ones, so the two cannot
//! drift apart. Each takes bytes as a stranger would send them; those that are no input at all are passed over.

mod accounts;
mod files;
mod headers;
mod links;
mod push;
mod render;
mod reply;
mod wire;

pub use files::{file_name, file_type};
pub use headers::{range, retry_after};
pub use links::signed_link;
pub use push::{discord_message, discord_push, http_push, slack_push, telegram_push};
pub use render::render;
pub use reply::webhook_reply;
pub use wire::wire_types;
