//! The operations, on a real nats-server.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

mod ab;
mod breakers;
mod broker;
mod conversations;
mod dead_letters;
mod forget;
mod overview;
mod records;
mod reset;
mod samples;
mod trace;
