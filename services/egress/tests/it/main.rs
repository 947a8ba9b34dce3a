//! The service against a real broker and fakes of the channels. Deliveries are made by hand.
#![expect(
    clippy::unwrap_used,
    reason = "allow-unwrap-in-tests does not cover helpers of integration tests"
)]

mod at_most_once;
mod binary;
mod discord;
mod files;
mod replies;
mod resume;
mod retries;
mod samples;
mod slack;
mod world;
