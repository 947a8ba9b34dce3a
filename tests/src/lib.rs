//! The tests of the whole: the rules of the workspace (`conformance`), the five binaries against a real
//! nats-server (`e2e`), the same under injected faults (`faults`), those in a real browser (`browser`), the
//! model of the protocol (`model`), and the benchmark of the whole (`bench`).
//!
//! The crate itself holds what `e2e`, `faults` and `browser` share: how the services are configured and started, and
//! what the broker says of them.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is a test's report, in its helper functions too"
)]

pub mod broker;
pub mod fleet;
pub mod manifest;
pub mod secured;
