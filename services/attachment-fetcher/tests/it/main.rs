//! attachment-fetcher as a whole, on a real nats-server and over real HTTP.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

mod binary;
mod discord;
mod fixture;
mod incoming;
mod outgoing;
mod s3;
mod serving;
mod slack;
