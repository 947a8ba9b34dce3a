//! Messages that stay in a stream although their consumer is done with them.
//!
//! An inbox stands for the slots: it keeps what was acknowledged, as a work queue does after some crashes.

use std::sync::Arc;

use bus::{BusError, Outgoing, TraceContext, Work};
use proto_schemas::topology::{INBOX, INBOX_EVENTS};
use proto_schemas::wire::DecodeError;
use runtime::leftovers::Leftovers;
use runtime::metrics::LeftoverMetrics;
use runtime::stage::{self, Job, Left, Outcome, Settles, Stage};
use testkit::condition::{PATIENCE, wait_until};

use crate::fixture::{Note, World};

/// A stage for which notes that say so are settled.
struct Told;

impl Stage for Told {
    type Input = Note;

    fn decode(&self, work: &Work) -> Result<Option<Note>, DecodeError> {
        stage::decode(work)
    }

    async fn handle(&self, note: &Note, _job: &Job) -> Outcome {
        Outcome::retry(format!("{} was not to be handled", note.text))
    }
}

impl Settles for Told {
    async fn is_settled(&self, note: &Note, _left: Left) -> Result<bool, BusError> {
        Ok(note.text.starts_with("settled"))
    }
}

fn leftovers(world: &World) -> Leftovers<Told> {
    Leftovers {
        stage: Arc::new(Told),
        consumer: INBOX_EVENTS,
        bus: world.bus.clone(),
        metrics: LeftoverMetrics::new(&world.metrics).unwrap(),
    }
}

async fn publish(world: &World, text: &str) {
    let note = Note {
        text: text.to_owned(),
    };
    let outgoing = Outgoing::new(format!("inbox.{text}"), &note, text, TraceContext::new()).unwrap();
    world.bus.publish(outgoing).await.unwrap();
}

/// Takes so many messages; the consumer knows of them until they are acknowledged.
async fn take(world: &World, count: usize) -> Vec<Work> {
    let consumer = world.bus.consumer(&INBOX_EVENTS).await.unwrap();
    let mut pull = consumer.work(16).await.unwrap();
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(pull.next().await.unwrap());
    }
    taken
}

async fn acknowledge(world: &World, taken: &[Work], left: u64) {
    for work in taken {
        work.ack().await.unwrap();
    }
    wait_until(PATIENCE, "the acknowledgements to be counted", async || {
        world.bus.consumer_state(&INBOX_EVENTS).await.unwrap().ack_pending == left
    })
    .await;
}

async fn stored(world: &World) -> Vec<String> {
    let found = world.bus.entries(INBOX.name, ">", 1, 100, 1 << 20).await.unwrap();
    let subjects = found.list.into_iter().map(|entry| entry.subject);
    subjects.collect()
}

fn counts(world: &World) -> (String, String) {
    (
        world.count("chatbot_leftovers_removed_total{service=\"egress\"}"),
        world.count("chatbot_unexplained_messages{service=\"egress\"}"),
    )
}

#[tokio::test]
async fn what_is_settled_is_removed_and_what_is_not_stays_and_is_counted() {
    let world = World::new(None).await;
    let leftovers = leftovers(&world);
    for text in ["settled_1", "open", "settled_2"] {
        publish(&world, text).await;
    }
    acknowledge(&world, &take(&world, 3).await, 0).await;
    leftovers.look().await.unwrap();
    assert_eq!(stored(&world).await, ["inbox.open"]);
    assert_eq!(counts(&world), ("2".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn what_the_consumer_knows_of_is_left_alone() {
    let world = World::new(None).await;
    let leftovers = leftovers(&world);
    publish(&world, "settled_in_work").await;
    let taken = take(&world, 1).await;
    publish(&world, "settled_waiting").await;
    leftovers.look().await.unwrap();
    assert_eq!(
        stored(&world).await,
        ["inbox.settled_in_work", "inbox.settled_waiting"]
    );
    assert_eq!(counts(&world), ("0".to_owned(), "0".to_owned()));
    drop(taken);
}

#[tokio::test]
async fn what_was_not_delivered_yet_is_not_asked_about() {
    let world = World::new(None).await;
    let leftovers = leftovers(&world);
    publish(&world, "settled_1").await;
    acknowledge(&world, &take(&world, 1).await, 0).await;
    publish(&world, "settled_later").await;
    leftovers.look().await.unwrap();
    assert_eq!(stored(&world).await, ["inbox.settled_later"]);
}
