//! Several processes of each service.

use std::time::Duration;

use proto_schemas::dead_letter::Stage;
use proto_schemas::topology::{ConsumerSpec, DELIVERY_WORK, TURN_WORK};
use testkit::backend::{echo, most_in_flight};
use testkit::condition::{PATIENCE, wait_until};
use testkit::telegram::text_update;

use crate::manifest::{TELEGRAM, WEB};
use crate::pipeline::{Options, Pipeline, echoed_one_by_one};

#[tokio::test]
async fn replicas_share_the_work_and_keep_each_conversation_in_order() {
    let options = Options {
        replicas: 2,
        ..Options::default()
    };
    let pipeline = Pipeline::start(options).await;
    // Long enough for a second call to be seen beside it.
    pipeline
        .backend
        .respond_with(|call| echo(call).after(Duration::from_millis(20)));
    let (chats, texts) = (["ada", "bob", "eve"], ["one", "two", "three", "four", "five"]);
    for (index, text) in texts.into_iter().enumerate() {
        for chat in chats {
            pipeline.say_at(index % 2, WEB, chat, text).await;
        }
    }
    for chat in chats {
        let replies = pipeline.replies(chat, texts.len()).await;
        assert_eq!(replies, echoed_one_by_one(&texts), "{chat}");
    }
    pipeline.settled().await;
    for chat in chats {
        let calls = pipeline.calls_of(chat);
        assert_eq!((calls.len(), most_in_flight(&calls)), (texts.len(), 1), "{chat}");
        assert_eq!(pipeline.replies_now(chat).len(), texts.len(), "{chat}");
    }
    assert_eq!(pipeline.all_transcripts().await.len(), chats.len() * texts.len());
}

#[tokio::test]
async fn a_webhook_caller_that_wakes_up_late_does_not_call_again() {
    wakes_up_late(Stage::WebhookCaller, &TURN_WORK).await;
}

#[tokio::test]
async fn an_egress_that_wakes_up_late_does_not_send_again() {
    wakes_up_late(Stage::Egress, &DELIVERY_WORK).await;
}

/// A process is frozen and work is handed to it all the same; another process does the work when the first is
/// presumed dead. Awake again, the first finds its work, delivered to it only once, and leaves it alone.
async fn wakes_up_late(stage: Stage, consumer: &ConsumerSpec) {
    let mut pipeline = Pipeline::start(Options::default()).await;
    pipeline.has_worked().await;
    pipeline.service(stage).pause().await;
    pipeline.say(WEB, "ada", "two").await;
    wait_until(PATIENCE, "the work to be handed out", async || {
        let state = pipeline.bus.consumer_state(consumer).await;
        state.is_ok_and(|state| state.ack_pending == 1)
    })
    .await;
    pipeline.add_replica(stage).await;
    pipeline.replies("ada", 2).await;
    pipeline.settled().await;

    pipeline.service(stage).resume();
    // Alone again, it comes to this after all that was handed to it before.
    pipeline.replicas(stage)[1].terminate().await;
    pipeline.say(WEB, "ada", "three").await;
    let expected = echoed_one_by_one(&["one", "two", "three"]);
    assert_eq!(pipeline.replies("ada", 3).await, expected);
    pipeline.settled().await;
    assert_eq!(pipeline.calls_of("ada").len(), 3);
    assert_eq!(pipeline.replies_now("ada").len(), 3);
}

#[tokio::test]
async fn an_egress_that_froze_before_a_send_does_not_send_after_others() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    let chat = 7001;
    // More than the burst that one egress lets go to a chat: the last reply waits for the chat's limit.
    for number in 1..=6 {
        pipeline
            .update(TELEGRAM, &text_update(number, chat, number, "hello"))
            .await;
    }
    pipeline.telegram_messages(chat, 5).await;
    wait_until(PATIENCE, "the sixth reply to be handed out", async || {
        let state = pipeline.bus.consumer_state(&DELIVERY_WORK).await;
        state.is_ok_and(|state| state.ack_pending == 1)
    })
    .await;
    pipeline.service(Stage::Egress).pause().await;
    assert_eq!(pipeline.telegram.sent_to(chat).len(), 5, "the sixth waits");
    pipeline.add_replica(Stage::Egress).await;
    pipeline.update(TELEGRAM, &text_update(7, chat, 7, "hello")).await;
    pipeline.telegram_messages(chat, 7).await;
    pipeline.settled().await;
    pipeline.service(Stage::Egress).resume();
    pipeline.replicas(Stage::Egress)[0].terminate().await;
    let sent = pipeline.telegram.sent_to(chat);
    assert_eq!(
        sent.len(),
        7,
        "{:?}",
        sent.iter().map(|s| s.reply_to).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn what_was_handed_to_a_frozen_egress_is_not_sent_beside_the_one_that_has_it_now() {
    let mut pipeline = Pipeline::start(Options::default()).await;
    pipeline.has_worked().await;
    pipeline.service(Stage::Egress).pause().await;
    pipeline.say(WEB, "ada", "two").await;
    wait_until(PATIENCE, "the reply to be handed to the frozen one", async || {
        let state = pipeline.bus.consumer_state(&DELIVERY_WORK).await;
        state.is_ok_and(|state| state.ack_pending == 1)
    })
    .await;
    let gate = pipeline.callbacks.hold();
    pipeline.add_replica(Stage::Egress).await;
    wait_until(PATIENCE, "another one to be sending it", async || {
        pipeline.callbacks.attempts().len() == 2
    })
    .await;
    let frozen = pipeline.service(Stage::Egress);
    frozen.resume();
    wait_until(
        PATIENCE,
        "the frozen one to let go of what it was handed",
        async || frozen.logs().contains("may be another's by now"),
    )
    .await;
    gate.release();
    pipeline.settled().await;
    assert_eq!(pipeline.callbacks.attempts().len(), 2);
}

impl Pipeline {
    /// Has a message answered. Until it has had work, a process may be ready and not have asked for any.
    async fn has_worked(&self) {
        self.say(WEB, "ada", "one").await;
        self.replies("ada", 1).await;
        self.settled().await;
    }
}
