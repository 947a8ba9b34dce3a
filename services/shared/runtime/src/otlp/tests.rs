use std::time::Instant;

use bus::{Span, SpanKind};
use testkit::collector::FakeCollector;
use testkit::condition::{PATIENCE, wait_until};

use super::*;
use crate::config::Reader;

struct World {
    collector: FakeCollector,
    metrics: Metrics,
    export: Export,
}

impl World {
    async fn start() -> Self {
        let collector = FakeCollector::start().await;
        let settings = collector.settings();
        let mut reader = Reader::new(settings.into_iter().map(|(key, value)| (key.to_owned(), value)));
        let config = OtlpConfig::read(&mut reader);
        reader.finish().unwrap();
        let metrics = Metrics::new("tests").unwrap();
        let export = Export::start(&config, "tests", &metrics).unwrap();
        Self {
            collector,
            metrics,
            export,
        }
    }

    fn tell(&self) {
        let spans = self.export.spans();
        spans.close(spans.receive(None), || Span::new(SpanKind::Server, "POST"));
    }
}

fn count(metrics: &Metrics, result: &str) -> u64 {
    let series = format!("chatbot_trace_spans_total{{result=\"{result}\",service=\"tests\"}} ");
    let shown = metrics.render().unwrap();
    let line = shown.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap().parse().unwrap()
}

async fn counted(metrics: &Metrics, result: &str, spans: u64) {
    wait_until(PATIENCE, result, async || count(metrics, result) == spans).await;
}

#[tokio::test]
async fn spans_reach_the_collector_as_otlp_has_them() {
    let world = World::start().await;
    world.tell();
    counted(&world.metrics, "exported", 1).await;
    let spans = world.collector.spans();
    assert_eq!((&*spans[0].service, &*spans[0].name), ("tests", "POST"));
    assert_eq!(world.collector.refusals(), [""; 0]);
}

#[tokio::test]
async fn what_waits_at_the_end_is_sent() {
    let world = World::start().await;
    world.tell();
    world.tell();
    world.export.finish(PATIENCE).await;
    assert_eq!(world.collector.spans().len(), 2);
}

#[tokio::test]
async fn what_the_collector_does_not_take_is_lost_and_counted() {
    let world = World::start().await;
    world.collector.answer_with(Some(503));
    world.tell();
    counted(&world.metrics, "not_taken", 1).await;
    world.collector.answer_with(None);
    world.collector.reject(1);
    world.tell();
    world.tell();
    counted(&world.metrics, "not_taken", 2).await;
    assert_eq!(count(&world.metrics, "exported"), 1);
}

#[tokio::test]
async fn a_collector_that_does_not_answer_holds_the_end_up_no_longer_than_there_is_time() {
    let world = World::start().await;
    let _gate = world.collector.hold();
    world.tell();
    let began = Instant::now();
    world.export.finish(Duration::from_millis(100)).await;
    assert!(began.elapsed() < LAST_SPANS, "{:?}", began.elapsed());
}

#[test]
fn what_finds_no_room_is_dropped_and_counted() {
    let metrics = Metrics::new("tests").unwrap();
    let (sender, mut queue) = mpsc::channel(1);
    let spans = Spans::to(
        Queue {
            sender,
            metrics: SpanMetrics::new(&metrics).unwrap(),
        },
        1.0,
    );
    for name in ["kept", "dropped"] {
        spans.close(spans.receive(None), || Span::new(SpanKind::Server, name));
    }
    assert_eq!(count(&metrics, "no_room"), 1);
    assert_eq!(queue.try_recv().unwrap().span.name, "kept");
}

#[tokio::test]
async fn without_a_collector_no_span_is_made() {
    let metrics = Metrics::new("tests").unwrap();
    let mut reader = Reader::new([]);
    let export = Export::start(&OtlpConfig::read(&mut reader), "tests", &metrics).unwrap();
    assert!(!export.spans().are_told());
    export.finish(PATIENCE).await;
}
