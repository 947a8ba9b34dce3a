//! The service against a real broker and a webhook with a script. Turns are made by hand.
#![expect(
    clippy::unwrap_used,
    reason = "allow-unwrap-in-tests does not cover helpers of integration tests"
)]

mod answers;
mod apis;
mod binary;
mod breaker;
mod budget;
mod caller;
mod cluster;
mod crashes;
mod failures;
mod fallback;
mod formats;
mod limits;
mod samples;
mod trial;
mod world;
