//! What every service shares: process life, configuration, actors, the stage runner, telemetry, health.
//!
//! A service is a [`Service`]: its configuration and a `start` that wires its parts. [`service::main`] does the
//! rest, the same way for all: arguments, configuration, logs, broker, topology, admin endpoints, signals, drain.

/// A service allocates and frees some dozen times a message, mostly a few KiB.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod actor;
pub mod admin;
mod attempts;
mod broker;
pub mod burial;
pub mod clock;
pub mod config;
mod connection_metrics;
pub mod health;
pub mod identity;
pub mod insist;
pub mod lag;
pub mod lease;
pub mod leftovers;
pub mod limit;
pub mod links;
pub mod metrics;
pub mod otlp;
pub mod outgoing;
pub mod random;
pub mod runner;
pub mod service;
mod span;
pub mod stage;
pub mod task;
pub mod telemetry;
pub mod web;

pub use service::{Process, Service, StartError};
pub use stage::{GiveUp, Job, Outcome, Stage};
