//! `chatbot`: the whole pipeline in one process, and the operator's tools.

mod ab;
mod apply;
mod bootstrap;
mod breakers;
mod broker;
mod dead_letters;
mod demo;
mod forget;
mod nats_keys;
mod nats_server;
mod output;
mod pipeline;
mod platform;
mod playground;
mod run_dir;
mod send;
mod server;
mod test_integration;
mod trace;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use proto_schemas::access::{BOOTSTRAP, FORGETTING};

use broker::Broker;
use platform::Platform;
use run_dir::RunDir;

/// Puts any HTTPS backend behind a chat bot.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Folder of `chatbot up`: data, secrets and addresses. The other commands find the broker there.
    #[arg(long, global = true, default_value = ".run", env = "CHATBOT_RUN_DIR")]
    run_dir: PathBuf,
    #[command(flatten)]
    broker: Broker,
    #[command(flatten)]
    server: server::Options,
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
    /// Creates streams, consumers and buckets, and says what was missing.
    Bootstrap(bootstrap::Options),
    /// Makes a key for each user of the broker, and the part of its configuration that knows them.
    NatsKeys(nats_keys::Options),
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
    let reach = async || match cli.server.open()? {
        Some(server) => Ok(Platform::Console(server)),
        None => cli.broker.connect(&run_dir).await.map(Platform::Broker),
    };
    match cli.command {
        Command::Up(options) => return Box::pin(up::up(options, &run_dir)).await,
        Command::Demo(binary) => return Box::pin(demo::demo(&binary)).await,
        Command::Send(options) => send::send(&options, &run_dir).await?,
        Command::Apply(options) => apply::apply(&options, &reach().await?).await?,
        Command::Trace { message } => {
            output::write(format_args!("{}", trace::find(&reach().await?, &message).await?))
        }
        Command::Ab(options) => ab::ab(&options, &reach().await?).await?,
        Command::TestIntegration(options) => return test_integration::run(options, &reach().await?).await,
        Command::DeadLetters(command) => dead_letters::run(command, &reach().await?).await?,
        Command::Forget(options) => match cli.server.open()? {
            Some(server) => forget::over_server(&options, &server).await?,
            None => forget::forget(&options, &cli.broker.connect_as(FORGETTING, &run_dir, 1).await?).await?,
        },
        Command::Breakers(command) => breakers::run(command, &reach().await?).await?,
        Command::Bootstrap(options) => {
            if cli.server.is_given() {
                return Err(Failure::new(
                    "bootstrap works on the broker: leave out --server and CONSOLE_URL",
                ));
            }
            let replicas = options.replicas.into();
            let bus = cli.broker.connect_as(BOOTSTRAP, &run_dir, replicas).await?;
            bootstrap::bootstrap(&options, &bus).await?;
        }
        Command::NatsKeys(options) => nats_keys::nats_keys(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}
