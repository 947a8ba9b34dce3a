//! The client against real servers, plain and with TLS.
#![expect(
    clippy::unwrap_used,
    reason = "allow-unwrap-in-tests does not cover helpers of integration tests"
)]

mod bodies;
mod calls;
mod connections;
mod servers;
mod stopwatch;
mod tls;
