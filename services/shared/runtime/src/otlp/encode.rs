//! Spans as OTLP has them.

use std::time::{SystemTime, UNIX_EPOCH};

use bus::{FinishedSpan, SpanKind, SpanValue, TraceContext};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind as Kind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

/// Flag of a span whose trace is recorded.
const SAMPLED: u32 = 1;

/// What the process calls itself: a service of the platform, one of perhaps several replicas.
pub(super) fn resource(service: &str) -> Resource {
    let instance = TraceContext::new().trace_id();
    Resource {
        attributes: vec![
            text("service.namespace", "chatbot"),
            text("service.name", service),
            text("service.version", env!("CARGO_PKG_VERSION")),
            text("service.instance.id", &instance),
        ],
        ..Resource::default()
    }
}

/// One request with all of these spans.
pub(super) fn request(
    resource: &Resource,
    spans: impl Iterator<Item = FinishedSpan>,
) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans = ScopeSpans {
        scope: Some(scope),
        spans: spans.map(encoded).collect(),
        ..ScopeSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource.clone()),
            scope_spans: vec![scope_spans],
            ..ResourceSpans::default()
        }],
    }
}

fn encoded(finished: FinishedSpan) -> Span {
    let FinishedSpan {
        span,
        context,
        parent,
        began,
        ended,
    } = finished;
    let kind = match span.kind {
        SpanKind::Server => Kind::Server,
        SpanKind::Client => Kind::Client,
        SpanKind::Producer => Kind::Producer,
        SpanKind::Consumer => Kind::Consumer,
    };
    let attributes = span.attributes.into_iter().map(|(key, value)| match value {
        SpanValue::Text(text) => attribute(key, Value::StringValue(text.into_owned())),
        SpanValue::Number(number) => attribute(key, Value::IntValue(number)),
    });
    let failed = || Status {
        code: StatusCode::Error.into(),
        ..Status::default()
    };
    Span {
        trace_id: context.trace_bytes().to_vec(),
        span_id: context.span_bytes().to_vec(),
        parent_span_id: parent.map_or_else(Vec::new, |parent| parent.span_bytes().to_vec()),
        flags: SAMPLED,
        name: span.name.into_owned(),
        kind: kind.into(),
        start_time_unix_nano: nanos(began),
        end_time_unix_nano: nanos(ended),
        attributes: attributes.collect(),
        links: span.link.map(linked).into_iter().collect(),
        status: span.is_error.then(failed),
        ..Span::default()
    }
}

fn linked(to: TraceContext) -> Link {
    Link {
        trace_id: to.trace_bytes().to_vec(),
        span_id: to.span_bytes().to_vec(),
        flags: SAMPLED,
        ..Link::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn nanos(at: SystemTime) -> u64 {
    let since_epoch = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}
