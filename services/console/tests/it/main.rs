//! The console as a whole, on a real nats-server and over real HTTP. The test itself answers as webhook-caller does.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

mod answers;
mod binary;
mod fixture;
mod refusals;
