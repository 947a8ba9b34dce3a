//! Every promise of the crate against a real broker.
#![expect(
    clippy::unwrap_used,
    reason = "allow-unwrap-in-tests does not cover helpers of integration tests"
)]

mod broker;
mod buckets;
mod cluster;
mod lag;
mod objects;
mod outage;
mod publish;
mod questions;
mod reads;
mod spans;
mod topology;
mod work;
