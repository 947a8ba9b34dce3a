//! Not in the parts themselves: the benchmark has no test harness, and would compile tests that it cannot run.

mod cpu;
mod http;
mod latency;
mod ledger;
mod token;
