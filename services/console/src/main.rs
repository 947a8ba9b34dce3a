//! The `console` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::service::main::<console::Console>()
}
