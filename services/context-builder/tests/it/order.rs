//! One turn in flight, in order, each with every earlier reply.

use proto_schemas::topology::{CONTEXT_EVENTS, INBOX_EVENTS};
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use crate::samples::{asked, first_turn, message, reply, text};
use crate::world::World;

#[tokio::test]
async fn a_second_message_waits_for_the_first_ones_outcome_and_then_goes_at_once() {
    let world = World::started(json!({})).await;
    let mut caller = world.caller().await;
    world.append(&text(1)).await;
    let (work, first) = caller.next().await;
    world.append(&text(2)).await;
    wait_until(PATIENCE, "the second message to be put off", async || {
        world.outcomes("retry").await == 1
    })
    .await;
    assert_eq!(world.parked().await, 1);
    assert_eq!(world.turn().await, Some(first.clone()));

    work.ack().await.unwrap();
    world.bus.flush().await.unwrap();
    world.commit(&first, reply(&first, "a1")).await;
    let (_, second) = caller.next().await;
    assert_eq!(asked(&second), (vec!["q1", "a1"], vec!["q2"]));
    // The two decisions were of message 1 and of the commit: behind another message there is nothing to decide.
    // Had the commit not made the turn, message 2 would have had to come again for it.
    assert_eq!(world.count("decisions_total", "decision", "call").await, 2);
    world.wait_until_settled(&INBOX_EVENTS).await;
}

#[tokio::test]
async fn a_commit_that_is_seen_before_the_slot_is_free_is_looked_at_again() {
    let mut world = World::new().await;
    world.configure(json!({})).await;
    world.append(&text(1)).await;
    world.append(&text(2)).await;
    let first = first_turn();
    world.offer(&first).await;
    let (work, _) = world.caller().await.next().await;
    // Without the messages' own events, the second turn can only come from the commit.
    world.drop_inbox_events(2).await;
    world.start().await;

    // As webhook-caller does it: the commit first, the slot when the delivery is published.
    world.commit(&first, reply(&first, "a1")).await;
    wait_until(PATIENCE, "two looks at the taken slot", async || {
        world.slots("taken").await >= 2
    })
    .await;
    work.ack().await.unwrap();
    let (_, second) = world.caller().await.next().await;
    assert_eq!(asked(&second), (vec!["q1", "a1"], vec!["q2"]));
    world.wait_until_settled(&CONTEXT_EVENTS).await;
}

#[tokio::test]
async fn replicas_make_one_turn_of_each_message_in_order() {
    const MESSAGES: usize = 6;
    let mut world = World::started(json!({"context": {"max_messages": 100}})).await;
    world.start().await;
    let mut caller = world.caller().await;
    for number in 1..=MESSAGES {
        world.append(&text(number)).await;
    }
    let mut said = Vec::new();
    for number in 1..=MESSAGES {
        let (work, turn) = caller.next().await;
        let question = format!("q{number}");
        assert_eq!(turn.answers, [message(number)]);
        assert_eq!(
            asked(&turn),
            (said.iter().map(String::as_str).collect(), vec![question.as_str()])
        );
        let answer = format!("a{number}");
        world.commit(&turn, reply(&turn, &answer)).await;
        work.ack().await.unwrap();
        said.extend([question, answer]);
    }
    world.wait_until_settled(&INBOX_EVENTS).await;
    world.wait_until_settled(&CONTEXT_EVENTS).await;
    assert_eq!(world.turn().await, None);
}

#[tokio::test]
async fn an_entry_that_is_there_twice_has_one_turn() {
    let world = World::started(json!({})).await;
    let mut caller = world.caller().await;
    world.append(&text(1)).await;
    let (work, turn) = caller.next().await;
    // While it is being asked, and after it was answered: the platform pushes it again after hours.
    world.append_as(&text(1), "again").await;
    wait_until(PATIENCE, "the repetition to be put off", async || {
        world.outcomes("retry").await >= 1
    })
    .await;
    world.commit(&turn, reply(&turn, "a1")).await;
    work.ack().await.unwrap();
    world.append_as(&text(1), "and again").await;
    world.wait_until_settled(&INBOX_EVENTS).await;
    world.wait_until_settled(&CONTEXT_EVENTS).await;
    assert_eq!(world.turn().await, None);
    assert_eq!(world.slots("accepted").await, 1);
}
