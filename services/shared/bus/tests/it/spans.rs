//! What is told of publishes.

use std::sync::{Arc, Mutex};

use bus::{FinishedSpan, Outgoing, SpanSink, SpanValue, Spans, TraceContext};
use proto_schemas::subjects;
use proto_schemas::topology::{INBOX, LIMITS};
use proto_schemas::wire::TRACEPARENT;

use crate::broker::{Broker, record};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<FinishedSpan>>>);

impl SpanSink for Kept {
    fn take(&self, span: FinishedSpan) {
        self.0.lock().unwrap().push(span);
    }
}

impl Kept {
    fn outcomes(&self) -> Vec<SpanValue> {
        let spans = self.0.lock().unwrap();
        let attributes = spans.iter().flat_map(|told| told.span.attributes.clone());
        let outcomes = attributes.filter(|(name, _)| *name == "chatbot.outcome");
        outcomes.map(|(_, value)| value).collect()
    }
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
    let told = kept.0.lock().unwrap()[0].clone();
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
