//! What a platform lets us send, kept by all replicas together.

use std::time::{Duration, Instant};

use proto_schemas::dead_letter::Stage;
use testkit::condition::{PATIENCE, wait_until};
use testkit::slack::{channel_message, in_thread};

use crate::manifest::SLACK;
use crate::pipeline::{Options, Pipeline};

const CHANNEL: &str = "C00FAKECHAN1";

/// A question in a thread of its own, which is a conversation of its own.
async fn ask_in_thread(pipeline: &Pipeline, number: usize) {
    let ts = format!("1766458031.00000{number}");
    let said = channel_message(CHANNEL, &ts, "<@U00FAKEBOT01> hello");
    pipeline.event(SLACK, &in_thread(said, &ts)).await;
}

#[tokio::test]
async fn conversations_of_one_channel_share_its_limit_over_all_replicas() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    pipeline.add_replica(Stage::Egress).await;
    for number in 0..6 {
        ask_in_thread(&pipeline, number).await;
    }
    let sent = pipeline.slack_messages(CHANNEL, 6).await;
    let took = sent[5].at.duration_since(sent[0].at);
    // One message a second, the last of which may leave a second before its time if the first one was late.
    assert!(took >= Duration::from_secs(4), "{took:?}");
    assert_eq!(pipeline.slack.calls("chat.postMessage"), 6);
}

#[tokio::test]
async fn a_pause_that_slack_asks_for_holds_for_the_channel_and_all_replicas() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    pipeline.add_replica(Stage::Egress).await;
    let asked_for = Duration::from_secs(3);
    pipeline.slack.limit_next("chat.postMessage", asked_for.as_secs());
    ask_in_thread(&pipeline, 0).await;
    wait_until(PATIENCE, "the call that is refused", async || {
        pipeline.slack.calls("chat.postMessage") == 1
    })
    .await;
    let refused = Instant::now();
    for number in 1..4 {
        ask_in_thread(&pipeline, number).await;
    }
    let sent = pipeline.slack_messages(CHANNEL, 4).await;
    let pause = sent[0].at.duration_since(refused);
    // Counted from when we saw the call, which may be late. Without a pause it is a second.
    assert!(pause >= Duration::from_secs(2), "{pause:?}");
    assert_eq!(
        pipeline.slack.calls("chat.postMessage"),
        5,
        "nothing was tried meanwhile"
    );
}
