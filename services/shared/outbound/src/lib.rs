//! Outgoing HTTP under a policy, and the signatures of Standard Webhooks.
//!
//! Guarantees:
//! - The address that is connected to is the address that was checked: names are resolved inside the
//!   connector, literal addresses are checked in the URL, redirects are never followed, no proxy is used.
//! - No error text holds a URL, because a URL may hold a credential (Telegram's holds the bot's token).
//! - A response is read up to a limit on its *decoded* bytes.

mod address;
mod body;
mod client;
mod failure;
mod policy;
mod resolver;
mod retry_after;
pub mod signature;
mod stopwatch;
mod tls;

pub use address::is_public;
pub use body::{ReadError, read_capped};
pub use client::{Client, ClientError};
pub use failure::{CallFailure, call_class, error_text};
pub use policy::{Denied, Policy, is_web};
pub use retry_after::{MAX_RETRY_AFTER, retry_after};
pub use stopwatch::{Phases, Stopwatch};
