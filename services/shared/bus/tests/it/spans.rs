//! What is told of spans, and of publishes by themselves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::{FinishedSpan, Outgoing, Span, SpanKind, SpanSink, SpanValue, Spans, TraceContext};
use proto_schemas::subjects;
use proto_schemas::topology::{INBOX, LIMITS};
use proto_schemas::wire::TRACEPARENT;

use crate::broker::{Broker, record};

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<FinishedSpan>>>);

impl SpanSink for Kept {
    fn take(&self, span: FinishedSpan) {
        self.0.lock().unwrap().push(span);
    }
}

impl Kept {
    fn spans(&self) -> Vec<FinishedSpan> {
        self.0.lock().unwrap().clone()
    }

    fn outcomes(&self) -> Vec<SpanValue> {
        let attributes = self.spans().into_iter().flat_map(|told| told.span.attributes);
        let outcomes = attributes.filter(|(name, _)| *name == "chatbot.outcome");
        outcomes.map(|(_, value)| value).collect()
    }
}

fn span() -> Span {
    Span::publish("turns.{conversation}")
}

#[test]
fn a_span_is_told_with_its_parent_when_it_has_ended() {
    let kept = Kept::default();
    let spans = Spans::to(kept.clone(), 1.0);
    let first = spans.receive(None);
    let second = spans.open(first.context());
    spans.close(second, || span().failed("oversize"));
    let [told] = &kept.spans()[..] else {
        panic!("{:?}", kept.spans())
    };
    assert_eq!(
        (told.context, told.parent),
        (second.context(), Some(first.context()))
    );
    assert!(told.span.is_error && told.ended >= told.began);
    assert_eq!(told.span.name, "publish turns.{conversation}");
    spans.close(first, || Span::new(SpanKind::Server, "POST"));
    assert_eq!(kept.spans()[1].parent, None);
}

#[test]
fn a_span_that_had_to_wait_is_as_long_as_it_took() {
    let kept = Kept::default();
    let spans = Spans::to(kept.clone(), 1.0);
    spans.close_after(spans.receive(None), Duration::from_secs(60), span);
    let told = &kept.spans()[0];
    assert_eq!(
        told.ended.duration_since(told.began).unwrap(),
        Duration::from_secs(60)
    );
}

#[test]
fn what_is_not_to_be_recorded_is_not_even_described() {
    let unasked = || -> Span { panic!("nobody wants it") };
    let off = Spans::default();
    off.close(off.receive(None), unasked);
    let none = Spans::to(Kept::default(), 0.0);
    let first = none.receive(None);
    none.close(none.open(first.context()), unasked);
    none.close_after(first, Duration::ZERO, unasked);
}

#[test]
fn who_sends_a_trace_says_whether_it_is_recorded() {
    let kept = Kept::default();
    let spans = Spans::to(kept.clone(), 0.0);
    let given = TraceContext::new().sampled_at(1.0);
    let open = spans.receive(Some(given));
    spans.close(open, span);
    assert_eq!(kept.spans()[0].parent, Some(given));
    assert!(open.context().shares_trace_with(given));
}

#[tokio::test]
async fn a_message_carries_the_span_of_its_publish() {
    let (broker, kept) = (Broker::start().await, Kept::default());
    let bus = broker.bus.clone().with_spans(Spans::to(kept.clone(), 1.0));
    let under = TraceContext::new();
    let message =
        |subject: &str, identity| Outgoing::new(subject.to_owned(), &record(1), identity, under).unwrap();
    bus.publish(message("inbox.a", "m1")).await.unwrap();
    let stored = bus.last(INBOX.name, "inbox.a").await.unwrap().unwrap();
    let carried = TraceContext::parse(stored.header(TRACEPARENT).unwrap()).unwrap();
    let told = kept.spans().remove(0);
    assert_eq!((told.context, told.parent), (carried, Some(under)));
    assert!(
        told.span
            .attributes
            .contains(&("messaging.message.id", "m1".to_owned().into()))
    );

    bus.publish(message("inbox.a", "m1")).await.unwrap();
    bus.publish(message("turns.a", "t1")).await.unwrap();
    bus.publish(message("turns.a", "t2")).await.unwrap_err();
    let expected = ["accepted", "duplicate", "accepted", "slot_taken"];
    assert_eq!(kept.outcomes(), expected.map(SpanValue::from));
}

#[tokio::test]
async fn records_that_are_no_messages_and_traces_that_are_not_recorded_are_not_told() {
    let (broker, kept) = (Broker::start().await, Kept::default());
    let bus = broker.bus.clone().with_spans(Spans::to(kept.clone(), 1.0));
    let (key, recorded) = ("rates.integrations.echo", TraceContext::new());
    bus.put(&LIMITS, key, &record(1), "r1", recorded).await.unwrap();
    let left_out = recorded.sampled_at(0.0);
    let subject = subjects::key("contexts", "a");
    bus.publish(Outgoing::new(subject.clone(), &record(1), "c1", left_out).unwrap())
        .await
        .unwrap();
    assert_eq!(kept.outcomes(), []);
    let stored = bus.last("KV_contexts", &subject).await.unwrap().unwrap();
    assert_eq!(stored.header(TRACEPARENT), Some(&*left_out.to_string()));
}
