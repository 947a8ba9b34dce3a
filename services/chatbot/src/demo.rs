//! `chatbot demo`: three messages of one conversation, the second and third while the first is being answered.

use std::process::ExitCode;
use std::time::Duration;

use runtime::telemetry::{self, LogConfig};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::nats_server::Binary;
use crate::output::{self, say};
use crate::pipeline::{Pipeline, Settings};
use crate::run_dir::RunDir;
use crate::send::Pusher;
use crate::{Failure, trace};

const CONVERSATION: &str = "demo";
const MESSAGES: [&str; 3] = ["first", "second", "third"];
/// How long the echo bot thinks: long enough for the other messages to arrive meanwhile.
const ECHO_DELAY: Duration = Duration::from_millis(700);
/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A question and what came of it.
struct Exchange {
    message: String,
    question: &'static str,
    answer: String,
    took: Duration,
}

/// Starts, shows, stops. Succeeds only if each reply was built on the one before.
pub(crate) async fn demo(binary: &Binary) -> Result<ExitCode, Failure> {
    telemetry::start(&LogConfig::pretty("warn"));
    let folder = tempfile::tempdir().map_err(Failure::new)?;
    let run_dir = RunDir::new(folder.path().to_owned());
    let pipeline = Box::pin(Pipeline::start(Settings {
        binary,
        run_dir: &run_dir,
        listen: "127.0.0.1:0".to_owned(),
        echo_delay: ECHO_DELAY,
        shutdown: CancellationToken::new(),
    }))
    .await?;
    let shown = show(&pipeline).await;
    let well = pipeline.stop().await;
    match shown {
        Ok(()) if well => Ok(ExitCode::SUCCESS),
        Ok(()) => Err(Failure::new("a service did not end well")),
        Err(failure) => Err(failure),
    }
}

async fn show(pipeline: &Pipeline) -> Result<(), Failure> {
    let exchanges = converse(pipeline).await?;
    for exchange in &exchanges {
        say!(
            "> {}\n< {}   [{} ms]",
            exchange.question,
            exchange.answer,
            exchange.took.as_millis()
        );
    }
    if let Some(last) = exchanges.last() {
        say!("\ntrace of {}", last.message);
        output::write(format_args!("{}", trace::of(&pipeline.bus, &last.message).await?));
    }
    for (index, exchange) in exchanges.iter().enumerate() {
        let expected = format!("#{} You said: {}", index + 1, exchange.question);
        let after = index
            .checked_sub(1)
            .map(|before| format!("#{} You said: {}", before + 1, MESSAGES[before]));
        let built_on = after.is_none_or(|before| exchange.answer.contains(&before));
        if !exchange.answer.starts_with(&expected) || !built_on {
            return Err(Failure(format!(
                "reply {} is not built on the one before",
                index + 1
            )));
        }
    }
    Ok(())
}

async fn converse(pipeline: &Pipeline) -> Result<Vec<Exchange>, Failure> {
    let pusher = Pusher::new(pipeline.addresses.clone())?;
    let mut sent = Vec::new();
    for (index, question) in MESSAGES.into_iter().enumerate() {
        if index == 1 {
            // The first message is being answered now.
            let asked = tokio::time::timeout(PATIENCE, pipeline.playground.wait_for_calls(1)).await;
            asked.map_err(|_| Failure::new("the bot was not asked"))?;
        }
        let began = Instant::now();
        let accepted = pusher.push(CONVERSATION, question).await?;
        sent.push((question, accepted.id, began));
    }
    let mut exchanges = Vec::new();
    for (index, (question, message, began)) in sent.into_iter().enumerate() {
        let replies = pipeline
            .playground
            .replies_of(CONVERSATION, None, index + 1, PATIENCE)
            .await;
        let reply = replies
            .get(index)
            .ok_or_else(|| Failure(format!("no reply to {question:?}")))?;
        exchanges.push(Exchange {
            message,
            question,
            answer: reply.text.clone(),
            took: began.elapsed(),
        });
    }
    Ok(exchanges)
}
