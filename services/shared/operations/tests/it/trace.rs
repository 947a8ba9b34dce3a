//! What became of a message: what is told of each place where it may be.

use operations::trace::{Trace, of, so_far};
use proto_schemas::dead_letter::Payload;
use proto_schemas::ids::MessageId;
use serde_json::json;

use crate::broker::Broker;
use crate::samples::{
    CONVERSATION, MESSAGE, attached, delivery, letter, message, received, transcript, turn,
};

/// How many small dead letters a story looks at: 16 pages.
const LOOKED_AT: usize = 16 * 256;

impl Broker {
    /// The story of the sample's message, which also passes through JSON as it is.
    async fn story(&self) -> Trace {
        let trace = of(&self.bus, &message()).await.unwrap().unwrap();
        let read: Trace = serde_json::from_str(&serde_json::to_string(&trace).unwrap()).unwrap();
        assert_eq!(read, trace);
        trace
    }

    /// The last line that is told.
    async fn last_line(&self) -> String {
        let story = self.story().await.to_string();
        story.lines().last().unwrap().to_owned()
    }

    async fn receive(&self) {
        self.publish(&format!("inbox.{CONVERSATION}"), &received(json!({})))
            .await;
    }
}

#[tokio::test]
async fn a_message_that_the_inbox_does_not_have_has_no_story() {
    let broker = Broker::start().await;
    broker.receive().await;
    for unknown in ["msg_3kq7zt_other", "msg_a_b", "no_message_of_ours"] {
        let unknown = MessageId::new(unknown).unwrap();
        assert_eq!(of(&broker.bus, &unknown).await.unwrap(), None, "{unknown}");
    }
}

#[tokio::test]
async fn a_message_is_followed_from_its_inbox_to_the_slot_that_its_work_is_in() {
    let broker = Broker::start().await;
    broker.receive().await;
    let waiting = broker.story().await;
    assert!(!waiting.is_finished && waiting.reply.is_none());
    assert_eq!(
        (waiting.question.as_str(), waiting.bot.as_str()),
        ("What do I owe?", "support")
    );
    assert!(broker.last_line().await.ends_with("  waits for its turn"));

    let answers = json!({"answers": [MESSAGE]});
    broker
        .publish(&format!("turns.{CONVERSATION}"), &turn(answers.clone()))
        .await;
    let line = broker.last_line().await;
    assert!(line.ends_with("; the webhook is being asked"), "{line}");

    broker
        .publish(&format!("deliveries.{CONVERSATION}"), &delivery(answers))
        .await;
    let line = broker.last_line().await;
    assert!(
        line.contains("webhook-caller") && line.ends_with(", on its way out"),
        "{line}"
    );
}

#[tokio::test]
async fn a_finished_message_is_told_with_files_turn_answer_receipt_and_dead_letter() {
    let broker = Broker::start().await;
    broker.receive().await;
    broker
        .publish(&format!("inbox.{CONVERSATION}"), &attached())
        .await;
    let fields = json!({"answers": [MESSAGE], "replay": 1});
    broker
        .publish(&format!("transcripts.{CONVERSATION}"), &transcript(fields))
        .await;
    broker
        .publish("dead-letters.webhook-caller.timeout.dl_one", &letter("dl_one"))
        .await;
    let mut other = letter("dl_other");
    other.payload = Payload::Text("{}".to_owned());
    broker
        .publish("dead-letters.webhook-caller.timeout.dl_other", &other)
        .await;
    let story = broker.story().await;
    assert!(story.is_finished);
    let told = story.to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 6, "{told}");
    assert!(
        lines[0].starts_with("       0 ms  ingress             accepted as inbox entry 1 through telegram-main (telegram), trace "),
        "{told}"
    );
    assert!(
        lines[1].contains("  attachment-fetcher  2 files brought in at 20"),
        "{told}"
    );
    assert!(lines[2].contains("  context-builder     built turn_"), "{told}");
    assert!(
        lines[3].contains("  webhook-caller      ") && lines[3].contains("; committed: "),
        "{told}"
    );
    assert!(
        lines[4].contains("  egress              ") && lines[4].contains(" (replay 1), trace "),
        "{told}"
    );
    assert_eq!(
        lines[5],
        "    3000 ms  webhook-caller      gave up (timeout): too slow; dead letter dl_one"
    );
}

#[tokio::test]
async fn a_story_says_when_there_are_too_many_dead_letters_to_look_at_all() {
    let broker = Broker::start().await;
    broker.receive().await;
    broker
        .publish("dead-letters.webhook-caller.timeout.dl_one", &letter("dl_one"))
        .await;
    for number in 1..LOOKED_AT {
        let mut other = letter(&format!("dl_{number}"));
        other.payload = Payload::Text("{}".to_owned());
        let subject = format!("dead-letters.webhook-caller.timeout.{}", other.id);
        broker.publish(&subject, &other).await;
    }
    let whole = broker.story().await;
    assert!(!whole.may_have_more_dead_letters);
    broker
        .publish("dead-letters.webhook-caller.timeout.dl_two", &letter("dl_two"))
        .await;
    let cut = broker.story().await;
    assert!(cut.may_have_more_dead_letters);
    assert_eq!(cut.steps, whole.steps);
    assert_eq!(
        broker.last_line().await,
        "Not all dead letters were looked at: more may tell of it."
    );
}

#[tokio::test]
async fn work_that_was_given_up_twice_is_told_of_once() {
    let broker = Broker::start().await;
    broker.receive().await;
    for class in ["timeout", "refused"] {
        let subject = format!("dead-letters.webhook-caller.{class}.dl_one");
        broker.publish(&subject, &letter("dl_one")).await;
    }
    let told = broker.story().await.to_string();
    assert_eq!(told.matches("dl_one").count(), 1, "{told}");
}

#[tokio::test]
async fn a_story_so_far_looks_at_no_dead_letter_and_says_so() {
    let broker = Broker::start().await;
    broker.receive().await;
    broker
        .publish("dead-letters.webhook-caller.timeout.dl_one", &letter("dl_one"))
        .await;
    let whole = broker.story().await;
    let so_far = so_far(&broker.bus, &message()).await.unwrap().unwrap();
    assert_eq!(so_far.steps, whole.steps[..whole.steps.len() - 1]);
    assert!(so_far.may_have_more_dead_letters && !whole.may_have_more_dead_letters);
}
