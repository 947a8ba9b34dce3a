//! `chatbot up`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use registry::Secret;
use runtime::clock;
use runtime::service::watch_signals;
use runtime::telemetry::{self, LogConfig};
use tokio_util::sync::CancellationToken;

use crate::nats_server::Binary;
use crate::output::say;
use crate::pipeline::{CONNECTION, Pipeline, Settings};
use crate::run_dir::RunDir;
use crate::{Failure, apply};

/// Options of `up`.
#[derive(Args)]
pub(crate) struct Options {
    #[command(flatten)]
    binary: Binary,
    /// Where ingress listens; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// A manifest to apply at start, besides the built-in echo bot.
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// How long the echo bot thinks.
    #[arg(long, default_value = "0s", value_parser = humantime::parse_duration)]
    echo_delay: Duration,
    /// What is logged.
    #[arg(long, default_value = "warn", env = "LOG_LEVEL")]
    log_level: String,
}

/// Runs until a signal.
pub(crate) async fn up(options: Options, run_dir: &RunDir) -> Result<ExitCode, Failure> {
    telemetry::start(&LogConfig::pretty(&options.log_level));
    let shutdown = CancellationToken::new();
    watch_signals(&shutdown).map_err(Failure::new)?;
    let pipeline = Box::pin(Pipeline::start(Settings {
        binary: &options.binary,
        run_dir,
        listen: options.listen,
        echo_delay: options.echo_delay,
        shutdown,
    }))
    .await?;
    let applied = match &options.file {
        Some(file) => apply::apply_file(file, &pipeline.bus).await,
        None => Ok(()),
    };
    if let Err(failure) = applied.and_then(|()| run_dir.announce(&pipeline.addresses)) {
        pipeline.stop().await;
        return Err(failure);
    }
    tell(&pipeline, run_dir);
    let well = pipeline.finish().await;
    run_dir.withdraw();
    say!("stopped");
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tell(pipeline: &Pipeline, run_dir: &RunDir) {
    let addresses = &pipeline.addresses;
    say!("The pipeline is up.");
    say!("  broker   {}", addresses.nats);
    say!(
        "  push to  {}/v1/channels/{CONNECTION}/messages",
        addresses.ingress
    );
    say!("  replies  {}/<conversation>", addresses.replies);
    say!("  console  {}  (the admin API is at /v1)", addresses.console);
    say!("  details  {}", run_dir.path().join("up.env").display());
    say!("");
    let token = Secret::new(&addresses.console_token);
    say!("Open the console, signed in (the link is good for an hour, and for once):");
    say!(
        "  {}",
        console::login_link(&addresses.console, &token, clock::now())
    );
    say!("In another terminal:  make send TEXT=\"Hello!\"");
    say!("Ctrl-C stops it.");
}
