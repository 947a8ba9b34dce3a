//! Spans as a person reads them.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{self as wire, ResourceSpans};

pub use opentelemetry_proto::tonic::trace::v1::span::SpanKind as Kind;

/// One span.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// `service.name` of who sent it.
    pub service: String,
    /// Its trace, in hexadecimal digits.
    pub trace_id: String,
    /// Its identity, in hexadecimal digits.
    pub id: String,
    /// Its parent's; empty when it has none.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// Its attributes, numbers as texts.
    pub attributes: BTreeMap<String, String>,
    /// The spans that it is linked to, by their identities.
    pub links: Vec<String>,
    /// Whether it failed.
    pub is_error: bool,
    /// When it began, in nanoseconds since 1970.
    pub began: u64,
    /// When it ended.
    pub ended: u64,
}

impl Span {
    /// An attribute; empty when it has none of this name.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }
}

/// The spans of one process; why they are none when a collector would not take them.
pub(super) fn of(sent: ResourceSpans) -> Result<Vec<Span>, String> {
    let resource = attributes(
        sent.resource
            .map(|resource| resource.attributes)
            .unwrap_or_default(),
    );
    let service = resource.get("service.name").ok_or("nobody says who sent it")?;
    let spans = sent.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans.map(|span| read(service, span)).collect()
}

fn read(service: &str, span: wire::Span) -> Result<Span, String> {
    let kind = span.kind();
    let is_whole = (span.trace_id.len(), span.span_id.len()) == (16, 8);
    if !is_whole || span.name.is_empty() || span.end_time_unix_nano < span.start_time_unix_nano {
        return Err(format!("no span: {span:?}"));
    }
    Ok(Span {
        service: service.to_owned(),
        trace_id: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        name: span.name,
        kind,
        attributes: attributes(span.attributes),
        links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
        is_error: span
            .status
            .is_some_and(|status| status.code() == StatusCode::Error),
        began: span.start_time_unix_nano,
        ended: span.end_time_unix_nano,
    })
}

fn attributes(sent: Vec<KeyValue>) -> BTreeMap<String, String> {
    let shown = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let pairs = sent.into_iter();
    pairs
        .map(|pair| (pair.key, shown(pair.value.and_then(|value| value.value))))
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
