//! The runner and the bootstrap against a real broker.
#![expect(
    clippy::unwrap_used,
    reason = "allow-unwrap-in-tests does not cover helpers of integration tests"
)]

mod delivery;
mod ends;
mod fixture;
mod lag;
mod leftovers;
mod service;
mod tiny;
