//! One trace follows a message.

use bus::TraceContext;
use proto_schemas::subjects;
use proto_schemas::topology::{INBOX, TRANSCRIPTS};
use proto_schemas::wire::TRACEPARENT;
use testkit::client::client;
use testkit::telegram::text_update;

use crate::manifest::{TELEGRAM, TELEGRAM_SECRET};
use crate::pipeline::{Options, Pipeline};

#[tokio::test]
async fn one_trace_leads_from_the_push_over_the_webhook_to_the_transcript() {
    let pipeline = Pipeline::start(Options::default()).await;
    let trace = TraceContext::new();
    push(&pipeline, trace).await;
    pipeline.telegram_messages(7001, 1).await;
    pipeline.settled().await;

    let conversation = pipeline.all_transcripts().await[0].conversation.clone();
    let inbox = pipeline.stored(INBOX.name, &subjects::inbox(&conversation)).await;
    let subject = subjects::transcript(&conversation);
    let transcripts = pipeline.stored(TRANSCRIPTS.name, &subject).await;
    let calls = pipeline.backend.calls();
    let seen = [
        inbox[0].header(TRACEPARENT),
        calls[0].header(TRACEPARENT),
        transcripts[0].header(TRACEPARENT),
    ];
    for header in seen {
        let seen = TraceContext::parse(header.unwrap()).unwrap();
        assert_eq!(seen.trace_id(), trace.trace_id());
        assert_ne!(seen, trace, "each step has a span of its own");
    }
}

/// Pushes a message as a sender who traces does.
async fn push(pipeline: &Pipeline, trace: TraceContext) {
    let url = format!("{}/v1/channels/{TELEGRAM}/updates", pipeline.ingress_url(0).await);
    let request = client()
        .post(url)
        .header("X-Telegram-Bot-Api-Secret-Token", TELEGRAM_SECRET)
        .header(TRACEPARENT, trace.to_string())
        .body(text_update(1, 7001, 41, "hello").to_string());
    assert_eq!(request.send().await.unwrap().status(), 200);
}
