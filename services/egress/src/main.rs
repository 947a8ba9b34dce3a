//! The `egress` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::service::main::<egress::Egress>()
}
