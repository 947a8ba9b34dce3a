//! Spans: what was done for a message, from when to when. They are told to whoever exports them; while nobody does, or
//! the trace is not recorded, none is made.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::TraceContext;

/// Who takes spans in. It must not wait: spans are told in the midst of work.
pub trait SpanSink: Send + Sync {
    /// Takes a span, or drops it.
    fn take(&self, span: FinishedSpan);
}

/// Where spans go. Cheap to clone; by default nowhere.
#[derive(Clone, Default)]
pub struct Spans(Option<Arc<Recording>>);

struct Recording {
    sink: Box<dyn SpanSink>,
    share: f64,
}

/// What a span says of the two sides of a call or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Answers a request.
    Server,
    /// Makes a request.
    Client,
    /// Publishes a message.
    Producer,
    /// Handles a message.
    Consumer,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpanValue {
    /// A text. Holds no secret, no text of a message and no URL.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Of which kind.
    pub kind: SpanKind,
    /// Its name: one of few, never with an identifier in it.
    pub name: Cow<'static, str>,
    /// What is known of it, by the names of OpenTelemetry's conventions where there are any.
    pub attributes: Vec<(&'static str, SpanValue)>,
    /// Whether it failed.
    pub is_error: bool,
    /// Another span that it repeats.
    pub link: Option<TraceContext>,
}

/// A span with its place and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedSpan {
    /// What was done.
    pub span: Span,
    /// Its trace and identity.
    pub context: TraceContext,
    /// The span under which it was done; none when it begins its trace.
    pub parent: Option<TraceContext>,
    /// When it began.
    pub began: SystemTime,
    /// When it ended; not before it began.
    pub ended: SystemTime,
}

/// A span under way. One that is dropped is not told.
#[derive(Debug, Clone, Copy)]
pub struct OpenSpan {
    context: TraceContext,
    parent: Option<TraceContext>,
    /// None when it will not be told.
    began: Option<SystemTime>,
}

impl OpenSpan {
    /// What goes with everything that is done under it.
    pub fn context(&self) -> TraceContext {
        self.context
    }
}

impl Spans {
    /// Spans go to `sink`, those of `share` of the traces that begin here and of all that come here to be recorded.
    pub fn to(sink: impl SpanSink + 'static, share: f64) -> Self {
        let sink = Box::new(sink);
        Self(Some(Arc::new(Recording { sink, share })))
    }

    /// Whether they go anywhere.
    pub fn are_told(&self) -> bool {
        self.0.is_some()
    }

    /// Opens the first span of what came from outside, under the trace that it brought or as the first of a new one.
    pub fn receive(&self, given: Option<TraceContext>) -> OpenSpan {
        let context = match (given, &self.0) {
            (Some(given), _) => given.child(),
            (None, Some(recording)) => TraceContext::new().sampled_at(recording.share),
            (None, None) => TraceContext::new(),
        };
        self.begin(context, given)
    }

    /// Opens a span under another.
    pub fn open(&self, parent: TraceContext) -> OpenSpan {
        self.begin(parent.child(), Some(parent))
    }

    /// Opens a span whose identity is given under another.
    pub fn open_as(&self, context: TraceContext, parent: TraceContext) -> OpenSpan {
        self.begin(context, Some(parent))
    }

    fn begin(&self, context: TraceContext, parent: Option<TraceContext>) -> OpenSpan {
        let is_told = self.are_told() && context.is_sampled();
        OpenSpan {
            context,
            parent,
            began: is_told.then(now),
        }
    }

    /// Ends a span now. `describe` is asked only if the span is told.
    pub fn close(&self, open: OpenSpan, describe: impl FnOnce() -> Span) {
        if let Some(began) = open.began {
            self.tell(open, (began, now()), describe());
        }
    }

    /// Ends a span now that took so long, whenever it was opened: what it stands for may have had to wait.
    pub fn close_after(&self, open: OpenSpan, took: Duration, describe: impl FnOnce() -> Span) {
        if open.began.is_some() {
            let ended = now();
            let began = ended.checked_sub(took).unwrap_or(ended);
            self.tell(open, (began, ended), describe());
        }
    }

    fn tell(&self, open: OpenSpan, (began, ended): (SystemTime, SystemTime), span: Span) {
        if let Some(recording) = &self.0 {
            recording.sink.take(FinishedSpan {
                span,
                context: open.context,
                parent: open.parent,
                began,
                // The clock may have been set back.
                ended: ended.max(began),
            });
        }
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spans").field(&self.are_told()).finish()
    }
}

impl Span {
    /// A span that went well.
    pub fn new(kind: SpanKind, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            name: name.into(),
            attributes: Vec::new(),
            is_error: false,
            link: None,
        }
    }

    /// A message that was published to a subject of this form.
    pub fn publish(template: &'static str) -> Self {
        Self::of_message(SpanKind::Producer, ("publish", "send"), template)
    }

    /// A message of a subject of this form that a consumer was handed.
    pub fn process(template: &'static str, consumer: &'static str) -> Self {
        Self::of_message(SpanKind::Consumer, ("process", "process"), template)
            .with("messaging.consumer.group.name", consumer)
    }

    fn of_message(
        kind: SpanKind,
        (name, operation): (&'static str, &'static str),
        template: &'static str,
    ) -> Self {
        Self::new(kind, format!("{name} {template}"))
            .with("messaging.system", "nats")
            .with("messaging.operation.name", name)
            .with("messaging.operation.type", operation)
            .with("messaging.destination.template", template)
    }

    /// The same with an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<SpanValue>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// The same as a failure of this class.
    #[must_use]
    pub fn failed(mut self, class: impl Into<SpanValue>) -> Self {
        self.is_error = true;
        self.with("error.type", class)
    }

    /// The same as a repetition of another span.
    #[must_use]
    pub fn linked_to(mut self, other: TraceContext) -> Self {
        self.link = Some(other);
        self
    }
}

impl From<&'static str> for SpanValue {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for SpanValue {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u32> for SpanValue {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

impl From<u64> for SpanValue {
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a span is told by the system clock, to the nanosecond"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
