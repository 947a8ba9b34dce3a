//! A conversation over one channel, from the push to the chat, with all that lies outside faked: `make demo
//! CHANNEL=slack`.
//!
//! A person sends a picture with a question. The webhook answers in Markdown, with a file and two buttons. The person
//! presses one. What each side gets is shown as it came.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "showing is the job, and a panic is the report of a failure"
)]

mod discord;
mod http;
mod slack;
mod stage;
mod telegram;

use clap::{Parser, ValueEnum};

use crate::stage::Stage;

#[derive(Debug, Parser)]
struct Arguments {
    /// Which channel is shown.
    #[arg(long, value_enum)]
    channel: Channel,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Channel {
    Http,
    Telegram,
    Slack,
    Discord,
}

#[tokio::main]
async fn main() {
    let arguments = Arguments::parse();
    let stage = Stage::set().await;
    match arguments.channel {
        Channel::Http => http::converse(&stage).await,
        Channel::Telegram => telegram::converse(&stage).await,
        Channel::Slack => slack::converse(&stage).await,
        Channel::Discord => discord::converse(&stage).await,
    }
}
