//! The service against a real broker. Inbox entries and commits are made by hand.
#![expect(
    clippy::unwrap_used,
    reason = "allow-unwrap-in-tests does not cover helpers of integration tests"
)]

mod binary;
mod faults;
mod files;
mod order;
mod samples;
mod split;
mod turns;
mod world;
