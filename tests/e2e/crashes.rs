//! Processes that are killed in the middle of their work.

use proto_schemas::dead_letter::Stage;
use testkit::backend::most_in_flight;
use testkit::callback::text_message;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::telegram::photo_update;

use crate::manifest::{TELEGRAM, WEB};
use crate::pipeline::{Options, Pipeline, echoed, echoed_one_by_one};

#[tokio::test]
async fn a_webhook_caller_killed_during_a_call_answers_once() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.backend.hold();
    let conversation = pipeline.say(WEB, "ada", "one").await.conversation;
    pipeline.backend.wait_for_calls(1).await;
    pipeline.service(Stage::WebhookCaller).kill();
    gate.release();
    pipeline.restart(Stage::WebhookCaller).await;

    assert_eq!(pipeline.replies("ada", 1).await, [echoed(&["one"])]);
    pipeline.settled().await;
    assert_eq!(pipeline.replies_now("ada").len(), 1);
    let calls = pipeline.calls_of("ada");
    assert_eq!(
        calls.len(),
        2,
        "the answer to the first call was lost with its caller"
    );
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    assert_eq!(most_in_flight(&calls), 1);
    assert_eq!(pipeline.transcripts(&conversation).await.len(), 1);
}

#[tokio::test]
async fn an_egress_killed_before_it_learned_of_a_send_repeats_it_under_the_same_identity() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.callbacks.hold();
    let conversation = pipeline.say(WEB, "ada", "one").await.conversation;
    pipeline.replies("ada", 1).await;
    pipeline.service(Stage::Egress).kill();
    pipeline.say(WEB, "ada", "two").await;
    gate.release();
    pipeline.restart(Stage::Egress).await;

    let last = echoed(&["one", "two"]);
    pipeline.callbacks.wait_for_text(&last).await;
    pipeline.settled().await;
    let replies = pipeline.replies_now("ada");
    let texts: Vec<&str> = replies.iter().map(|reply| reply.text()).collect();
    assert_eq!(texts, [&echoed(&["one"]), &echoed(&["one"]), &last]);
    assert_eq!(
        replies[0].id, replies[1].id,
        "its receiver can tell the repetition"
    );
    assert_eq!(pipeline.calls_of("ada").len(), 2);
    assert_eq!(pipeline.transcripts(&conversation).await.len(), 2);
}

#[tokio::test]
async fn a_context_builder_killed_in_a_burst_leaves_nothing_out() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.backend.hold();
    let texts = ["one", "two", "three", "four"];
    pipeline.say(WEB, "ada", texts[0]).await;
    pipeline.say(WEB, "ada", texts[1]).await;
    pipeline.backend.wait_for_calls(1).await;
    pipeline.service(Stage::ContextBuilder).kill();
    pipeline.say(WEB, "ada", texts[2]).await;
    gate.release();
    pipeline.replies("ada", 1).await;
    pipeline.restart(Stage::ContextBuilder).await;
    pipeline.say(WEB, "ada", texts[3]).await;

    assert_eq!(pipeline.replies("ada", 4).await, echoed_one_by_one(&texts));
    pipeline.settled().await;
    assert_eq!(pipeline.replies_now("ada").len(), 4);
    assert_eq!(pipeline.calls_of("ada").len(), 4);
}

#[tokio::test]
async fn an_attachment_fetcher_killed_during_a_download_brings_the_file_in_later() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    pipeline
        .telegram
        .add_file("AgAC-big", vec![0xff, 0xd8, 0xff, 0xe0, 0x00]);
    let gate = pipeline.telegram.hold();
    let update = photo_update(1, 7001, 41, "AgAC-big", "look");
    pipeline.update(TELEGRAM, &update).await;
    wait_until(PATIENCE, "the download to begin", async || {
        pipeline.telegram.calls("getFile") == 1
    })
    .await;
    pipeline.service(Stage::AttachmentFetcher).kill();
    gate.release();
    pipeline.restart(Stage::AttachmentFetcher).await;

    pipeline.telegram_messages(7001, 1).await;
    pipeline.settled().await;
    let calls = pipeline.backend.calls();
    assert_eq!(calls.len(), 1);
    let body = String::from_utf8_lossy(&calls[0].body).into_owned();
    assert!(body.contains("image_url"), "{body}");
}

#[tokio::test]
async fn a_push_that_dies_with_its_ingress_may_be_repeated() {
    let options = Options {
        settings: &[("MAX_CONCURRENT_REQUESTS", "1")],
        ..Options::default()
    };
    let mut pipeline = Pipeline::start(options).await;
    let message = text_message("ada", "ada", "hello");
    // Frozen, the broker confirms nothing, so the push keeps the only place.
    pipeline.nats.pause().await;
    let kill = async {
        let url = format!("{}/v1/channels/{WEB}/messages", pipeline.ingress_url(0).await);
        wait_until(PATIENCE, "the push to be under way", async || {
            // Without a signature it is refused at once, unless there is no place to look at it.
            let answer = client().post(&url).body("{}").send().await.unwrap();
            answer.status() == 503
        })
        .await;
        pipeline.service(Stage::Ingress).kill();
    };
    let (answer, ()) = tokio::join!(pipeline.push(WEB, "push-1", &message), kill);
    assert_eq!(answer, None);
    pipeline.nats.resume();
    pipeline.restart(Stage::Ingress).await;

    let (status, _) = pipeline.push(WEB, "push-1", &message).await.unwrap();
    assert_eq!(status, 202);
    assert_eq!(pipeline.replies("ada", 1).await, [echoed(&["hello"])]);
    pipeline.settled().await;
    let (calls, replies) = (pipeline.calls_of("ada"), pipeline.replies_now("ada"));
    assert_eq!((calls.len(), replies.len()), (1, 1));
}

#[tokio::test]
async fn a_broker_killed_in_a_burst_comes_back_with_all_of_it() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.backend.hold();
    let texts = ["one", "two", "three", "four", "five"];
    for text in &texts[..3] {
        pipeline.say(WEB, "ada", text).await;
    }
    pipeline.backend.wait_for_calls(1).await;
    pipeline.nats.kill();
    gate.release();
    pipeline.nats.restart().await;
    pipeline.service(Stage::Ingress).ready().await;
    for text in &texts[3..] {
        pipeline.say(WEB, "ada", text).await;
    }

    assert_eq!(pipeline.replies("ada", 5).await, echoed_one_by_one(&texts));
    pipeline.settled().await;
    assert_eq!(pipeline.replies_now("ada").len(), 5);
    assert!(pipeline.dead_letters().await.is_empty());
}

#[tokio::test]
async fn every_process_may_be_killed_in_a_burst_without_loss() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let texts = Stage::ALL.map(|stage| format!("before the end of {}", stage.as_str()));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for (stage, text) in Stage::ALL.into_iter().zip(&texts) {
        pipeline.say(WEB, "ada", text).await;
        pipeline.service(stage).kill();
        pipeline.nats.restart().await;
        pipeline.restart(stage).await;
        pipeline.service(Stage::Ingress).ready().await;
    }
    let last = echoed(&texts);
    pipeline.callbacks.wait_for_text(&last).await;
    pipeline.settled().await;

    // What was sent without our learning of it was sent again, under the same identity.
    let mut replies = pipeline.replies_now("ada");
    replies.dedup_by(|again, reply| again.id == reply.id);
    let replies: Vec<&str> = replies.iter().map(|reply| reply.text()).collect();
    assert_eq!(replies, echoed_one_by_one(&texts));
    assert_eq!(most_in_flight(&pipeline.calls_of("ada")), 1);
    assert_eq!(pipeline.all_transcripts().await.len(), texts.len());
    assert!(pipeline.dead_letters().await.is_empty());
}

#[tokio::test]
async fn an_ingress_without_a_broker_accepts_nothing_and_says_so() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let message = text_message("ada", "ada", "hello");
    pipeline.nats.kill();
    wait_until(PATIENCE, "ingress to notice", async || {
        !pipeline.service(Stage::Ingress).is_ready().await
    })
    .await;
    let (status, receipt) = pipeline.push(WEB, "push-1", &message).await.unwrap();
    assert_eq!((status, receipt), (503, None));

    pipeline.nats.restart().await;
    pipeline.service(Stage::Ingress).ready().await;
    let (status, _) = pipeline.push(WEB, "push-1", &message).await.unwrap();
    assert_eq!(status, 202);
    assert_eq!(pipeline.replies("ada", 1).await, [echoed(&["hello"])]);
}
