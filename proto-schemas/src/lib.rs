//! What the services say to each other: identifiers, wire types, subjects, streams and consumers.
//!
//! The crate is data only. Producers and consumers use the same definitions; the JSON Schemas under
//! `schemas/` and `asyncapi.json` are generated from them, and a test fails when they drift.

pub mod access;
pub mod asyncapi;
pub mod content;
pub mod context;
pub mod dead_letter;
pub mod delivery;
pub mod fetch;
pub mod gateway;
pub mod ids;
pub mod inbox;
pub mod integration_test;
pub mod limits;
pub mod progress;
pub mod subjects;
pub mod topology;
pub mod transcript;
pub mod turn;
pub mod typing;
pub mod webhook;
pub mod wire;
