//! The pure heart of the pipeline: which id a thing has, what is due in a conversation, which webhook
//! answers, what follows from an answer, what a webhook is told, when to try again.
//!
//! Nothing here does I/O, reads a clock or draws a random number: time and randomness are handed in, so every
//! rule is tested by calling a function.

pub mod breaker;
pub mod conclude;
pub mod decide;
pub mod files;
pub mod ids;
pub mod links;
pub mod payload;
pub mod policy;
pub mod rate;
pub mod replay;
pub mod retry;
pub mod split;
pub mod typing;

mod fields;
mod size;

#[cfg(test)]
mod conversation_model;
#[cfg(test)]
mod samples;
