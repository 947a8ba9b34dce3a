//! Processes that are asked to end in the middle of their work.

use std::time::Duration;

use futures_util::future::join_all;
use proto_schemas::dead_letter::Stage;
use testkit::backend::Ending;
use testkit::condition::{PATIENCE, wait_until};
use testkit::gate::Gate;

use crate::manifest::WEB;
use crate::pipeline::{Options, Pipeline, echoed_one_by_one};

#[tokio::test]
async fn a_webhook_caller_asked_to_end_finishes_its_call_first() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let texts = ["one", "two"];
    let gate = pipeline.backend.hold();
    pipeline.say(WEB, "ada", texts[0]).await;
    pipeline.backend.wait_for_calls(1).await;
    pipeline.say(WEB, "ada", texts[1]).await;
    terminate_and_release(&pipeline, Stage::WebhookCaller, gate).await;
    let calls = pipeline.calls_of("ada");
    assert!(
        matches!(calls[0].ending, Ending::Answered(_)),
        "{:?}",
        calls[0].ending
    );
    pipeline.restart(Stage::WebhookCaller).await;

    assert_eq!(pipeline.replies("ada", 2).await, echoed_one_by_one(&texts));
    pipeline.settled().await;
    assert_eq!(pipeline.calls_of("ada").len(), 2, "no call was repeated");
}

#[tokio::test]
async fn an_egress_asked_to_end_finishes_its_send_first() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let texts = ["one", "two"];
    let gate = pipeline.callbacks.hold();
    pipeline.say(WEB, "ada", texts[0]).await;
    pipeline.replies("ada", 1).await;
    pipeline.say(WEB, "ada", texts[1]).await;
    terminate_and_release(&pipeline, Stage::Egress, gate).await;
    pipeline.restart(Stage::Egress).await;

    assert_eq!(pipeline.replies("ada", 2).await, echoed_one_by_one(&texts));
    pipeline.settled().await;
    assert_eq!(pipeline.replies_now("ada").len(), 2, "no reply was repeated");
}

#[tokio::test]
async fn every_service_may_be_replaced_in_a_burst_without_loss() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let texts: Vec<String> = Stage::ALL
        .iter()
        .map(|stage| format!("before {}", stage.as_str()))
        .collect();
    for (stage, text) in Stage::ALL.into_iter().zip(&texts) {
        pipeline.say(WEB, "ada", text).await;
        let status = pipeline.service(stage).terminate().await;
        assert_eq!(status.code(), Some(0), "{}", stage.as_str());
        pipeline.restart(stage).await;
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(
        pipeline.replies("ada", texts.len()).await,
        echoed_one_by_one(&texts)
    );
    pipeline.settled().await;
    assert_eq!(pipeline.calls_of("ada").len(), texts.len());
    assert_eq!(pipeline.replies_now("ada").len(), texts.len());
    assert!(pipeline.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_service_asked_to_end_while_the_broker_is_away_does_not_wait_for_it() {
    // Far above what a drain takes, and below the deadline that would cut it off.
    const SOON: Duration = Duration::from_secs(40);
    let pipeline = Pipeline::start(Options::default()).await;
    pipeline.nats.kill();
    let ends = Stage::ALL.map(async |stage| (stage, pipeline.service(stage).terminate().await));
    let ended = tokio::time::timeout(SOON, join_all(ends)).await;
    for (stage, status) in ended.expect("all services end soon") {
        assert_eq!(status.code(), Some(0), "{}", stage.as_str());
    }
}

/// Sends SIGTERM, lets the held work go when the service has begun to drain, and waits for a good end.
async fn terminate_and_release(pipeline: &Pipeline, stage: Stage, gate: Gate) {
    let service = pipeline.service(stage);
    let release = async {
        wait_until(PATIENCE, "the drain to begin", async || !service.is_ready().await).await;
        gate.release();
    };
    let (status, ()) = tokio::join!(service.terminate(), release);
    assert_eq!(status.code(), Some(0), "{}", stage.as_str());
}
