//! The console as a whole, on a real nats-server and over real HTTP. The test itself answers as webhook-caller does.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

mod ab;
mod afresh;
mod answers;
mod audit;
mod binary;
mod conversations;
mod dead_letters;
mod description;
mod fixture;
mod hostile;
mod pages;
mod pipeline;
mod records;
mod refusals;
mod roles;
