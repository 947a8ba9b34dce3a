//! `chatbot`: the whole pipeline in one process, and the operator's tools.

mod ab;
mod apply;
mod breakers;
mod dead_letters;
mod demo;
mod forget;
mod nats_server;
mod output;
mod pipeline;
mod playground;
mod replay;
mod run_dir;
mod send;
mod test_integration;
mod trace;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use bus::{Bus, BusConfig, OnDifference};
use clap::{Args, Parser, Subcommand};

use output::say;
use run_dir::RunDir;
use runtime::config::without_password;

/// Puts any HTTPS backend behind a chat bot.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Folder of `chatbot up`: data, secrets and addresses. The other commands find the broker there.
    #[arg(long, global = true, default_value = ".run", env = "CHATBOT_RUN_DIR")]
    run_dir: PathBuf,
    /// The broker; taken from the run folder when absent.
    #[arg(long, global = true, env = "NATS_URL")]
    nats_url: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs all services in this process, with a nats-server of its own and an echo bot.
    Up(up::Options),
    /// Starts everything, sends three messages of one conversation at once, shows question, reply and trace.
    Demo(nats_server::Binary),
    /// Sends a message to the bot that `up` runs, and prints its reply.
    Send(send::Options),
    /// Validates a manifest (YAML or JSON) of bots, integrations and connections, and stores it.
    Apply(apply::Options),
    /// Shows what became of a message.
    Trace {
        /// Its identifier, as ingress answered it.
        message: String,
    },
    /// Shows how the arms of a bot's split do: outcomes and latency, counted from its transcripts.
    Ab(ab::Options),
    /// Calls a webhook once with a sample message, and shows request, latency and reply.
    TestIntegration(test_integration::Options),
    /// What was given up.
    #[command(subcommand)]
    DeadLetters(dead_letters::Command),
    /// Shows what is stored of a conversation or a user, and removes it.
    Forget(forget::Options),
    /// Which webhooks are left in peace because they fail.
    #[command(subcommand)]
    Breakers(breakers::Command),
    /// Creates streams, consumers and buckets.
    Bootstrap(BootstrapOptions),
}

#[derive(Args)]
struct BootstrapOptions {
    /// Changes what is there already to what this build wants.
    #[arg(long)]
    update: bool,
    /// Copies of each stream.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,
}

/// What any command may fail with: a text for a person.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

impl Failure {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(Failure::new(error)),
    };
    match done {
        Ok(_) if output::is_incomplete() => {
            fail(&Failure::new("not all of the output could be written"));
            ExitCode::FAILURE
        }
        Ok(code) => code,
        Err(failure) => {
            fail(&failure);
            ExitCode::FAILURE
        }
    }
}

fn fail(failure: &Failure) {
    use std::io::Write as _;
    // If standard error is gone there is nobody to tell; the exit code still says it.
    let _told = writeln!(std::io::stderr(), "error: {failure}");
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let run_dir = RunDir::new(cli.run_dir);
    let connect = async |replicas| connect(&broker(cli.nats_url, &run_dir)?, replicas).await;
    match cli.command {
        Command::Up(options) => return Box::pin(up::up(options, &run_dir)).await,
        Command::Demo(binary) => return Box::pin(demo::demo(&binary)).await,
        Command::Send(options) => send::send(&options, &run_dir).await?,
        Command::Apply(options) => apply::apply(&options, &connect(1).await?).await?,
        Command::Trace { message } => {
            output::write(format_args!("{}", trace::of(&connect(1).await?, &message).await?))
        }
        Command::Ab(options) => ab::ab(&options, &connect(1).await?).await?,
        Command::TestIntegration(options) => return test_integration::run(options, &connect(1).await?).await,
        Command::DeadLetters(command) => dead_letters::run(command, &connect(1).await?).await?,
        Command::Forget(options) => forget::forget(&options, &connect(1).await?).await?,
        Command::Breakers(command) => breakers::run(command, &connect(1).await?).await?,
        Command::Bootstrap(options) => {
            let bus = connect(options.replicas.into()).await?;
            let on_difference = if options.update {
                OnDifference::Update
            } else {
                OnDifference::Keep
            };
            bus.ensure_topology(on_difference).await.map_err(Failure::new)?;
            say!("streams, consumers and buckets are in place");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the broker is: as it was said, or that of the run folder.
fn broker(said: Option<String>, run_dir: &RunDir) -> Result<String, Failure> {
    let running = || run_dir.addresses().ok().map(|up| up.nats);
    said.or_else(running)
        .ok_or_else(|| Failure::new("no broker: start `chatbot up`, or name one by --nats-url or NATS_URL"))
}

/// Connects to the broker and waits a little for it.
async fn connect(url: &str, replicas: usize) -> Result<Bus, Failure> {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
    let config = BusConfig {
        url: url.to_owned(),
        name: "chatbot".to_owned(),
        replicas,
        ack_wait: None,
    };
    let bus = Bus::connect(config).await.map_err(Failure::new)?;
    let mut connected = bus.connected();
    match tokio::time::timeout(PATIENCE, connected.wait_for(|connected| *connected)).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => {
            return Err(Failure(format!("no broker answers at {}", without_password(url))));
        }
    }
    Ok(bus)
}
