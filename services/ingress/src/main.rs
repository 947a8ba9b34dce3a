//! The `ingress` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::service::main::<ingress::Ingress>()
}
