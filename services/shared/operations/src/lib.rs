//! What an operator asks of the platform: functions over the broker, with typed results and errors. The command line
//! prints them, the console serves them.
//!
//! Guarantees:
//! - a record of the configuration is stored only if it breaks no rule, and only over the revision that the caller saw;
//! - what is told of a record shows references of secrets, as that is what it holds; what was written in the clear all the
//!   same, into a URL or a plain header, is shown.

pub mod ab;
pub mod breakers;
mod check;
pub mod conversations;
pub mod dead_letters;
pub mod forget;
pub mod overview;
mod record;
mod records;
mod replay;
pub mod reset;
mod test_integration;
pub mod trace;

pub use check::{check, named_by, read};
pub use record::Record;
pub use records::{
    Condition, Page, Past, RecordError, Stored, Written, delete, history, list, put, roll_back, show,
    validate,
};
pub use test_integration::{TestError, test_integration};
