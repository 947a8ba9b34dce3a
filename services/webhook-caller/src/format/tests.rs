use proto_schemas::content::{IncomingFile, Role, StoredFile, Utterance};
use proto_schemas::turn::Task;
use reqwest::header::HeaderName;
use serde_json::{Value, json};

use super::*;
use crate::samples::turn;

fn utterance(role: Role, text: &str, files: Vec<IncomingFile>) -> Utterance {
    Utterance {
        role,
        text: text.to_owned(),
        files,
        message_id: None,
        at: UnixMillis(0),
    }
}

pub(super) fn asked(text: &str) -> Utterance {
    utterance(Role::User, text, vec![])
}

pub(super) fn answered(text: &str) -> Utterance {
    utterance(Role::Assistant, text, vec![])
}

/// A message with an image, a PDF, a table, an image that no API reads, and a file that is lost.
pub(super) fn asked_with_files(text: &str) -> Utterance {
    let stored = |name: &str, mime_type: &str| {
        IncomingFile::Stored(StoredFile {
            key: format!("in/{name}"),
            name: name.to_owned(),
            mime_type: mime_type.to_owned(),
            bytes: 1,
        })
    };
    let lost = IncomingFile::Unavailable {
        name: "a.mp4".to_owned(),
        reason: "too large".to_owned(),
    };
    let files = vec![
        stored("photo.jpg", "image/jpeg"),
        stored("report.pdf", "application/pdf; version=1.7"),
        stored("table.csv", "text/csv"),
        stored("drawing.svg", "image/svg+xml"),
        lost,
    ];
    utterance(Role::User, text, files)
}

/// What is sent for a turn, as JSON.
pub(super) fn sent(
    format: Value,
    system_prompt: Option<&str>,
    history: Vec<Utterance>,
    question: Vec<Utterance>,
) -> Value {
    let format: Format = serde_json::from_value(format).unwrap();
    let link = |file: &StoredFile| format!("https://files.example/{}", file.key);
    let turn = turn(system_prompt, history, question);
    serde_json::from_slice(&body(&turn, &format, link).unwrap().unwrap()).unwrap()
}

/// What becomes of an answer that is not 2xx.
pub(super) fn refused(
    dialect: Dialect,
    status: u16,
    headers: &[(&'static str, &str)],
    body: &str,
) -> CallError {
    let pairs = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
    let secrets = SentSecrets::default();
    dialect.refusal(status, &pairs.collect(), body.as_bytes(), &secrets, UnixMillis(0))
}

#[test]
fn a_reset_asks_nobody_in_any_format() {
    let reset = Turn {
        task: Task::Reset {
            message: "Done.".to_owned(),
        },
        ..turn(None, vec![], vec![])
    };
    for format in [
        json!("platform"),
        json!({"openai": {"model": "m"}}),
        json!({"anthropic": {"model": "m"}}),
    ] {
        let format: Format = serde_json::from_value(format).unwrap();
        assert!(body(&reset, &format, |_| String::new()).is_none());
    }
}

#[test]
fn the_guides_payload_knows_no_format() {
    let sent = sent(json!("platform"), Some("Be brief."), vec![], vec![asked("Hi")]);
    let messages = json!([
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]);
    assert_eq!(sent["messages"], messages);
    assert_eq!(sent["conversation_id"], "conv_a");
}

#[test]
fn a_body_of_no_known_form_is_kept_up_to_its_limit() {
    for dialect in [Dialect::Platform, Dialect::Openai, Dialect::Anthropic] {
        assert_eq!(refused(dialect, 500, &[], "plain").detail, "HTTP 500: plain");
        let long = refused(dialect, 500, &[], &"x".repeat(1000)).detail;
        assert_eq!(long.len(), "HTTP 500: ".len() + refusal::MAX_DETAIL_CHARS);
    }
}

#[test]
fn only_openais_own_headers_ask_for_a_pause() {
    let headers = [("x-ratelimit-reset-requests", "6m0s")];
    for (dialect, asks) in [
        (Dialect::Platform, false),
        (Dialect::Openai, true),
        (Dialect::Anthropic, false),
    ] {
        let fate = refused(dialect, 429, &headers, "{}").fate;
        let not_before = asks.then_some(Duration::from_secs(360));
        assert_eq!(fate, crate::error::Fate::Retry { not_before }, "{dialect:?}");
    }
}
