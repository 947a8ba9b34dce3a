//! The `attachment-fetcher` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    runtime::service::main::<attachment_fetcher::AttachmentFetcher>()
}
