//! `chatbot test-integration`: one call of a webhook, made by webhook-caller itself, and what came of it.

use std::fmt::Write as _;
use std::process::ExitCode;

use bus::AskError;
use clap::Args;
use operations::TestError;
use proto_schemas::content::{Attachment, Button};
use proto_schemas::ids::IntegrationId;
use proto_schemas::integration_test::{
    IntegrationTestReport, Latency, MAX_MESSAGE_BYTES, ShownRequest, TestOutcome,
};
use serde_json::{Map, Value};

use crate::Failure;
use crate::output::{self, say};
use crate::platform::Platform;
use crate::server::Server;

/// Options of `test-integration`.
#[derive(Args)]
pub(crate) struct Options {
    /// The integration.
    id: String,
    /// What the user of the sample conversation says.
    #[arg(short, long)]
    message: String,
    /// Shows the request and sends nothing.
    #[arg(long)]
    preview: bool,
    /// Prints the report as JSON.
    #[arg(long)]
    json: bool,
}

/// Tests, and prints what came of it. The code says whether the webhook gave a usable answer.
pub(crate) async fn run(options: Options, platform: &Platform) -> Result<ExitCode, Failure> {
    let report = ask(&options, platform).await?;
    if let TestOutcome::Refused { detail, .. } = &report.outcome {
        return Err(Failure::new(detail));
    }
    if options.json {
        say!("{}", serde_json::to_string_pretty(&report).map_err(Failure::new)?);
    } else {
        output::write(format_args!("{}", shown(&report)?));
    }
    Ok(match report.outcome {
        TestOutcome::Preview | TestOutcome::Reply { .. } | TestOutcome::NoReply { .. } => ExitCode::SUCCESS,
        TestOutcome::Failure { .. } | TestOutcome::Refused { .. } => ExitCode::FAILURE,
    })
}

async fn ask(options: &Options, platform: &Platform) -> Result<IntegrationTestReport, Failure> {
    if options.message.len() > MAX_MESSAGE_BYTES {
        return Err(Failure(format!(
            "the message is longer than {MAX_MESSAGE_BYTES} bytes"
        )));
    }
    let integration = IntegrationId::new(&options.id).map_err(Failure::new)?;
    let bus = match platform {
        Platform::Broker(bus) => bus,
        Platform::Console(server) => return ask_console(options, server, &integration).await,
    };
    let asked =
        operations::test_integration(bus, integration.clone(), options.message.clone(), options.preview)
            .await;
    asked.map_err(|error| match error {
        TestError::Unknown => Failure(format!("there is no integration {integration}")),
        TestError::Ask(AskError::NobodyAnswers) => Failure::new("no webhook-caller answers: is one running?"),
        TestError::Ask(AskError::TimedOut(patience)) => Failure(format!(
            "webhook-caller took the test and gave no report within {} s; it may have died with the call",
            patience.as_secs()
        )),
        TestError::Ask(AskError::Bus(error)) => Failure::new(error),
    })
}

async fn ask_console(
    options: &Options,
    server: &Server,
    integration: &IntegrationId,
) -> Result<IntegrationTestReport, Failure> {
    let (verb, body) = if options.preview {
        ("preview", serde_json::json!({"message": options.message}))
    } else {
        ("test", serde_json::json!({"message": options.message}))
    };
    let path = format!("/v1/integrations/{integration}/{verb}");
    Ok(server.post(&path, &body).await?)
}

/// The report for people.
fn shown(report: &IntegrationTestReport) -> Result<String, Failure> {
    let mut text = String::new();
    write(&mut text, report).map_err(Failure::new)?;
    Ok(text)
}

fn write(text: &mut String, report: &IntegrationTestReport) -> std::fmt::Result {
    if let Some(request) = &report.request {
        write_request(text, request)?;
    }
    match &report.outcome {
        TestOutcome::Preview => writeln!(text, "Nothing was sent.")?,
        TestOutcome::Reply {
            status,
            content,
            attachments,
            buttons,
            metadata,
        } => {
            writeln!(text, "HTTP {status}: a reply")?;
            write_latency(text, report.latency)?;
            write_reply(text, content, attachments, buttons, metadata.as_ref())?;
        }
        TestOutcome::NoReply { status } => {
            writeln!(text, "HTTP {status}: nothing to say")?;
            write_latency(text, report.latency)?;
        }
        TestOutcome::Failure {
            class, detail, hint, ..
        } => {
            writeln!(text, "failed ({class}): {detail}")?;
            write_latency(text, report.latency)?;
            writeln!(text, "\n{hint}")?;
        }
        TestOutcome::Refused { detail, .. } => writeln!(text, "not made: {detail}")?,
    }
    Ok(())
}

fn write_request(text: &mut String, request: &ShownRequest) -> std::fmt::Result {
    writeln!(text, "{} {}", request.method, request.url)?;
    for (name, value) in &request.headers {
        writeln!(text, "{name}: {value}")?;
    }
    writeln!(text, "\n{:#}\n", request.body)
}

fn write_latency(text: &mut String, latency: Option<Latency>) -> std::fmt::Result {
    let Some(latency) = latency else { return Ok(()) };
    let parts = [
        ("DNS", latency.dns_micros),
        ("connect", latency.connect_micros),
        ("TLS", latency.tls_micros),
        ("first byte", latency.first_byte_micros),
        ("total", Some(latency.total_micros)),
    ];
    for (name, micros) in parts {
        match micros {
            Some(micros) => writeln!(
                text,
                "  {name:<12}{:>6}.{} ms",
                micros / 1000,
                micros % 1000 / 100
            )?,
            None => writeln!(text, "  {name:<12}       -")?,
        }
    }
    Ok(())
}

fn write_reply(
    text: &mut String,
    content: &str,
    attachments: &[Attachment],
    buttons: &[Button],
    metadata: Option<&Map<String, Value>>,
) -> std::fmt::Result {
    writeln!(text, "\n{content}")?;
    for attachment in attachments {
        let name = attachment.filename.as_deref().unwrap_or("a file");
        writeln!(text, "attachment: {name} at {}", attachment.url)?;
    }
    for button in buttons {
        let does = button
            .url
            .as_ref()
            .or(button.value.as_ref())
            .unwrap_or(&button.label);
        writeln!(text, "button: {} ({does})", button.label)?;
    }
    match metadata {
        Some(fields) => writeln!(text, "metadata: {:#}", Value::Object(fields.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: serde_json::Value) -> String {
        let report = serde_json::json!({"integration": "support", "outcome": outcome,
            "latency": {"connect_micros": 12_345, "total_micros": 1_234_567}});
        shown(&serde_json::from_value(report).unwrap()).unwrap()
    }

    #[test]
    fn a_reply_is_shown_with_files_metadata_and_times() {
        let text = report(
            serde_json::json!({"kind": "reply", "status": 200, "content": "Here it is.",
            "attachments": [{"url": "https://a.example/d.pdf", "filename": "d.pdf"}],
            "metadata": {"model": "gpt-4"}}),
        );
        assert_eq!(
            text,
            "HTTP 200: a reply\n  DNS                -\n  connect         12.3 ms\n  TLS                -\n  \
             first byte         -\n  total         1234.5 ms\n\nHere it is.\n\
             attachment: d.pdf at https://a.example/d.pdf\nmetadata: {\n  \"model\": \"gpt-4\"\n}\n"
        );
    }

    #[test]
    fn a_failure_ends_with_what_to_look_at() {
        let text = report(
            serde_json::json!({"kind": "failure", "class": "unauthorized", "status": 401,
            "detail": "HTTP 401: invalid key", "hint": "Check the key."}),
        );
        assert!(
            text.starts_with("failed (unauthorized): HTTP 401: invalid key\n"),
            "{text}"
        );
        assert!(text.ends_with("\n\nCheck the key.\n"), "{text}");
    }

    #[test]
    fn nothing_to_say_is_an_answer() {
        assert!(report(serde_json::json!({"kind": "no_reply", "status": 204})).starts_with("HTTP 204"));
    }
}
