//! The `webhook-caller` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::service::main::<webhook_caller::WebhookCaller>()
}
