//! The whole pipeline: the five real binaries, a real nats-server, and fakes of all that lies outside.
//!
//! `promises` holds one test for each promise of the README, under the promise's name. The other modules go by
//! what they look at. Every test has a pipeline, and with it a broker, of its own. Nothing sleeps: a test waits
//! for conditions, and "nothing more happens" means that no consumer has anything left to do.
//!
//! The binaries must be built: `cargo build --workspace --bins`.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is a test's report, in its helper functions too"
)]

mod backup;
mod broker;
mod conversations;
mod crashes;
mod discord;
mod discord_gateway;
mod failures;
mod files;
mod forget;
mod manifest;
mod metrics;
mod pace;
mod pipeline;
mod poison;
mod promises;
mod replicas;
mod rights;
mod rotation;
mod s3;
mod secured_starts;
mod shutdown;
mod slack;
mod spans;
mod starts;
mod telegram;
mod trace;
mod users;
