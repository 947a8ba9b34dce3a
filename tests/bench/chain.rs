//! What the driver drives: the platform or its yardstick.

use std::any::Any;

use crate::cpu::Watched;

/// Processes that are ready for messages, without their broker.
pub(crate) struct Chain {
    /// What it is called in reports.
    pub(crate) name: &'static str,
    /// Its processes.
    pub(crate) processes: Vec<Watched>,
    /// What ends the processes when it is dropped.
    pub(crate) _guards: Vec<Box<dyn Any>>,
}
