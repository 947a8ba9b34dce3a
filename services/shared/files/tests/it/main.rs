//! Files in a real broker and in an S3 that checks signatures.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is a test's report, in its helper functions too"
)]

mod broker;
mod fixture;
mod s3;
mod secrets;
