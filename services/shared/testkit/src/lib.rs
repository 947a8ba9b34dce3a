//! For tests only: a real nats-server, the real binaries as processes, and fakes with behaviour for all that
//! lies outside the platform (a webhook, Telegram, Slack, Discord, an HTTP channel's callback, a host of files, S3, an OpenTelemetry collector).
//!
//! It knows the wire types and none of the platform's code, so a fake cannot agree with a bug. Everything
//! listens on 127.0.0.1, ends with the value that a test holds, and panics where a wait is in vain.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "code for tests: a panic is its report, the clock is the real one, and its servers end with the test"
)]

pub mod authority;
pub mod backend;
pub mod binary;
pub mod callback;
mod child;
pub mod client;
pub mod collector;
pub mod condition;
mod count;
pub mod discord;
pub mod files;
pub mod gate;
pub mod ingress;
pub mod middleman;
pub mod nats;
pub mod process;
pub mod proxy;
pub mod s3;
mod server;
mod signature;
pub mod slack;
pub mod telegram;
pub mod tls;
