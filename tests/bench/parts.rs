//! The tests of those parts of the benchmark that its figures rest on. The benchmark itself has no test harness.

#![expect(
    dead_code,
    clippy::unwrap_used,
    reason = "what only the benchmark uses is compiled here, too; a panic is a test's report"
)]

mod checks;
mod cpu;
mod http;
mod latency;
mod ledger;
mod token;
