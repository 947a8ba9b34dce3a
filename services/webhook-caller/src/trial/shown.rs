//! Request and answer as they may be shown: without the secrets that were sent, whoever repeats them.

use outbound::signature::WEBHOOK_SIGNATURE;
use proto_schemas::content::{Attachment, Button};
use proto_schemas::context::TurnResult;
use proto_schemas::integration_test::{ShownRequest, TestOutcome};
use registry::Integration;
use reqwest::Method;
use serde_json::{Map, Value};
use url::Url;

use crate::request::{Prepared, SECRET, SentSecrets};

/// Stands for what may be a credential and is not known to be one.
const LEFT_OUT: &str = "[left out]";

pub(super) fn request(integration: &Integration, prepared: &Prepared) -> ShownRequest {
    let headers = prepared.headers.iter().map(|(name, value)| {
        let shown = if name == WEBHOOK_SIGNATURE {
            SECRET.to_owned()
        } else {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            prepared.secrets.redact(text)
        };
        (name.to_string(), shown)
    });
    ShownRequest {
        method: Method::POST.to_string(),
        url: url(&integration.url),
        headers: headers.collect(),
        body: serde_json::from_slice(&prepared.body).unwrap_or_default(),
    }
}

/// A URL without user and password, and with the names of its query alone: a value may be a key.
fn url(url: &Url) -> String {
    let mut shown = format!("{}{}", url.origin().ascii_serialization(), url.path());
    for (number, (name, value)) in url.query_pairs().enumerate() {
        shown.push(if number == 0 { '?' } else { '&' });
        // A key without a value is one by itself.
        if !value.is_empty() {
            shown.push_str(&format!("{name}="));
        }
        shown.push_str(LEFT_OUT);
    }
    shown
}

/// What a usable answer is shown as.
pub(super) fn result(result: TurnResult, status: u16) -> TestOutcome {
    match result {
        TurnResult::Reply {
            content,
            attachments,
            buttons,
            metadata,
        } => TestOutcome::Reply {
            status,
            content,
            attachments,
            buttons,
            metadata,
        },
        // No answer of a webhook is read as one of the last two.
        TurnResult::NoReply | TurnResult::Failure { .. } | TurnResult::Reset { .. } => {
            TestOutcome::NoReply { status }
        }
    }
}

/// An outcome without the secrets, which a webhook may have repeated.
pub(super) fn outcome(outcome: TestOutcome, secrets: &SentSecrets) -> TestOutcome {
    let redact = |text: String| secrets.redact(text);
    match outcome {
        TestOutcome::Reply {
            status,
            content,
            attachments,
            buttons,
            metadata,
        } => {
            let attachments = attachments.into_iter().map(|attachment| Attachment {
                url: redact(attachment.url),
                filename: attachment.filename.map(redact),
                mime_type: attachment.mime_type.map(redact),
            });
            let buttons = buttons.into_iter().map(|button| Button {
                label: redact(button.label),
                value: button.value.map(redact),
                url: button.url.map(redact),
            });
            TestOutcome::Reply {
                status,
                content: redact(content),
                attachments: attachments.collect(),
                buttons: buttons.collect(),
                metadata: metadata.map(|fields| object(fields, secrets)),
            }
        }
        TestOutcome::Failure {
            class,
            status,
            detail,
            hint,
        } => TestOutcome::Failure {
            class,
            status,
            detail: redact(detail),
            hint,
        },
        TestOutcome::Preview | TestOutcome::NoReply { .. } | TestOutcome::Refused { .. } => outcome,
    }
}

fn object(fields: Map<String, Value>, secrets: &SentSecrets) -> Map<String, Value> {
    let fields = fields.into_iter();
    fields
        .map(|(name, field)| (secrets.redact(name), value(field, secrets)))
        .collect()
}

fn value(shown: Value, secrets: &SentSecrets) -> Value {
    match shown {
        Value::String(text) => secrets.redact(text).into(),
        Value::Array(items) => items.into_iter().map(|item| value(item, secrets)).collect(),
        Value::Object(fields) => object(fields, secrets).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_its_place_and_loses_what_may_be_a_credential() {
        let shown = |text| url(&Url::parse(text).unwrap());
        assert_eq!(
            shown("https://backend.example/chat"),
            "https://backend.example/chat"
        );
        assert_eq!(
            shown("https://ada:hunter2@backend.example:8443/chat?key=k3y&bare&on=#part"),
            "https://backend.example:8443/chat?key=[left out]&[left out]&[left out]"
        );
    }
}
