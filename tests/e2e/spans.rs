//! Spans reach a collector: one tree for each message, from the push to the transcript, with nothing secret in it.

use std::collections::{BTreeMap, BTreeSet};

use bus::TraceContext;
use futures_util::future::join_all;
use proto_schemas::dead_letter::Stage;
use proto_schemas::wire::TRACEPARENT;
use testkit::backend::fail_first;
use testkit::collector::{COLLECTOR_KEY, Kind, Span};
use testkit::condition::{PATIENCE, wait_until};
use testkit::telegram::photo_update;

use crate::files::photo;
use crate::manifest::{TELEGRAM, TELEGRAM_SECRET, TELEGRAM_TOKEN, WEB, callback_secret, push_secret};
use crate::pipeline::{Options, Pipeline};

const TRACED: Options = Options {
    replicas: 1,
    settings: &[],
    files_in_s3: false,
    secured: false,
    traced: true,
};

/// Who did what under what, of a message that came over Telegram with a file: service, kind, name, the parent's name.
const STORY: [(&str, Kind, &str, &str); 15] = [
    (
        "ingress",
        Kind::Server,
        "POST /v1/channels/{connection}/updates",
        "",
    ),
    (
        "ingress",
        Kind::Producer,
        "publish inbox.{conversation}",
        "POST /v1/channels/{connection}/updates",
    ),
    (
        "context-builder",
        Kind::Consumer,
        "process inbox.{conversation}",
        "publish inbox.{conversation}",
    ),
    (
        "context-builder",
        Kind::Producer,
        "publish fetches.in.{message}",
        "process inbox.{conversation}",
    ),
    (
        "attachment-fetcher",
        Kind::Consumer,
        "process fetches.in.{message}",
        "publish fetches.in.{message}",
    ),
    (
        "attachment-fetcher",
        Kind::Producer,
        "publish inbox.{conversation}",
        "process fetches.in.{message}",
    ),
    (
        "context-builder",
        Kind::Producer,
        "publish turns.{conversation}",
        "process inbox.{conversation}",
    ),
    (
        "webhook-caller",
        Kind::Consumer,
        "process turns.{conversation}",
        "publish turns.{conversation}",
    ),
    (
        "webhook-caller",
        Kind::Client,
        "POST",
        "process turns.{conversation}",
    ),
    (
        "webhook-caller",
        Kind::Producer,
        "publish $KV.contexts.{conversation}",
        "process turns.{conversation}",
    ),
    (
        "context-builder",
        Kind::Consumer,
        "process $KV.contexts.{conversation}",
        "publish $KV.contexts.{conversation}",
    ),
    (
        "webhook-caller",
        Kind::Producer,
        "publish deliveries.{conversation}",
        "process turns.{conversation}",
    ),
    (
        "egress",
        Kind::Consumer,
        "process deliveries.{conversation}",
        "publish deliveries.{conversation}",
    ),
    (
        "egress",
        Kind::Client,
        "send telegram",
        "process deliveries.{conversation}",
    ),
    (
        "egress",
        Kind::Producer,
        "publish transcripts.{conversation}",
        "process deliveries.{conversation}",
    ),
];

/// The lines of a story that spans tell. A parent that is not among them is `?`.
fn story(spans: &[Span]) -> BTreeSet<(&str, i32, &str, &str)> {
    let names: BTreeMap<&str, &str> = spans.iter().map(|span| (&*span.id, &*span.name)).collect();
    let lines = spans.iter().map(|span| {
        let parent = match &*span.parent {
            "" => "",
            id => names.get(id).copied().unwrap_or("?"),
        };
        (&*span.service, span.kind as i32, &*span.name, parent)
    });
    lines.collect()
}

fn expected() -> BTreeSet<(&'static str, i32, &'static str, &'static str)> {
    let lines = STORY.into_iter();
    lines
        .map(|(service, kind, name, parent)| (service, kind as i32, name, parent))
        .collect()
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    let mut found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    found.sort_by_key(|span| span.began);
    found
}

#[tokio::test]
async fn a_message_with_a_file_and_a_retry_is_one_tree_of_spans() {
    let pipeline = Pipeline::start(TRACED).await;
    pipeline.backend.respond_with(fail_first(1, 503));
    pipeline.telegram.add_file("AgAC-traced", photo());
    let update = photo_update(1, 7001, 41, "AgAC-traced", "a question of mine");
    pipeline.update(TELEGRAM, &update).await;
    let reply = pipeline.telegram_messages(7001, 1).await.remove(0);
    let calls = pipeline.backend.calls();
    let contexts: Vec<String> = calls
        .iter()
        .map(|call| call.header(TRACEPARENT).unwrap().to_owned())
        .collect();
    let trace = TraceContext::parse(&contexts[0]).unwrap().trace_id();
    let spans = pipeline
        .collector
        .trace(&trace, "all spans of the message", |spans| {
            story(spans).is_superset(&expected())
        })
        .await;
    assert_eq!(story(&spans), expected());

    let called = named(&spans, "POST");
    let told: Vec<_> = called
        .iter()
        .map(|call| {
            let shown = ["http.response.status_code", "chatbot.attempt", "error.type"];
            (call.is_error, shown.map(|name| call.attribute(name)))
        })
        .collect();
    assert_eq!(
        told,
        [(true, ["503", "1", "server_error"]), (false, ["200", "2", ""])]
    );
    assert_eq!(called[1].attribute("chatbot.integration.id"), "echo");
    let sent: Vec<String> = called
        .iter()
        .map(|call| format!("00-{trace}-{}-01", call.id))
        .collect();
    assert_eq!(contexts, sent, "the webhook is told of the very span");

    let tries = named(&spans, "process turns.{conversation}");
    let (first, repeated) = tries.split_first().unwrap();
    assert_eq!(
        (first.links.len(), first.attribute("chatbot.outcome")),
        (0, "retry")
    );
    assert!(
        repeated.iter().all(|again| again.links == [first.id.clone()]),
        "{repeated:?}"
    );
    assert_eq!(repeated.last().unwrap().attribute("chatbot.outcome"), "done");
    for (name, value) in [
        ("messaging.system", "nats"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.template", "turns.{conversation}"),
        ("messaging.consumer.group.name", "webhook-caller"),
    ] {
        assert_eq!(first.attribute(name), value, "{name}");
    }
    assert!(!first.attribute("messaging.message.id").is_empty());

    assert_eq!(pipeline.collector.refusals(), [""; 0]);
    let bodies = pipeline.collector.bodies().concat();
    let bodies = String::from_utf8_lossy(&bodies);
    let secrets = [
        TELEGRAM_TOKEN,
        TELEGRAM_SECRET,
        COLLECTOR_KEY,
        &callback_secret(),
        &push_secret(),
    ]
    .map(str::to_owned);
    let content = ["a question of mine", &*reply.text, "AgAC-traced", "http://"].map(str::to_owned);
    for hidden in secrets.iter().chain(&content) {
        assert!(!bodies.contains(hidden.as_str()), "a span holds {hidden:?}");
    }
    for stage in Stage::ALL {
        assert!(
            !pipeline.service(stage).logs().contains(COLLECTOR_KEY),
            "{}",
            stage.as_str()
        );
    }
}

#[tokio::test]
async fn all_spans_are_told_before_the_processes_end_each_in_its_messages_trace() {
    let pipeline = Pipeline::start(TRACED).await;
    let gate = pipeline.backend.hold();
    pipeline.say(WEB, "ada", "one").await;
    pipeline.backend.wait_for_calls(1).await;
    pipeline.say(WEB, "ada", "two").await;
    gate.release();
    pipeline.replies("ada", 2).await;
    pipeline.settled().await;
    let ended = join_all(Stage::ALL.map(|stage| pipeline.service(stage).terminate())).await;
    assert!(ended.iter().all(|status| status.success()), "{ended:?}");

    let spans = pipeline.collector.spans();
    let mut traces: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for span in &spans {
        traces.entry(&span.trace_id).or_default().push(span.clone());
    }
    assert_eq!(traces.len(), 2, "one for each message");
    for spans in traces.values() {
        let told = story(spans);
        assert!(told.iter().all(|(.., parent)| *parent != "?"), "{told:?}");
        assert_eq!(named(spans, "POST").len(), 1);
        assert_eq!(named(spans, "publish transcripts.{conversation}").len(), 1);
        assert_eq!(told.iter().filter(|(.., parent)| parent.is_empty()).count(), 1);
    }
}

#[tokio::test]
async fn without_its_collector_the_pipeline_works_and_counts_what_is_lost() {
    let pipeline = Pipeline::start(Options {
        settings: &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")],
        ..Options::default()
    })
    .await;
    pipeline.say(WEB, "ada", "hello").await;
    pipeline.replies("ada", 1).await;
    for stage in Stage::ALL
        .into_iter()
        .filter(|stage| *stage != Stage::AttachmentFetcher)
    {
        let service = pipeline.service(stage);
        let series = format!(
            "chatbot_trace_spans_total{{result=\"not_taken\",service=\"{}\"}}",
            stage.as_str()
        );
        wait_until(PATIENCE, "lost spans are counted", async || {
            Pipeline::count(service, &series).await > 0
        })
        .await;
        assert!(service.terminate().await.success(), "{}", stage.as_str());
    }
}
