//! The `context-builder` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::service::main::<context_builder::ContextBuilder>()
}
