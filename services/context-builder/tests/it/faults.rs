//! What is wrong harms nothing else.

use bytes::Bytes;
use proto_schemas::subjects;
use proto_schemas::topology::INBOX_EVENTS;
use proto_schemas::wire::{MESSAGE_TYPE, Wire};
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};

use crate::samples::{asked, conversation, message, text};
use crate::world::World;

#[tokio::test]
async fn a_message_waits_for_a_bot_that_is_not_configured_yet() {
    let mut world = World::new().await;
    world.start().await;
    world.append(&text(1)).await;
    wait_until(PATIENCE, "the message to be put off", async || {
        world.outcomes("retry").await >= 1
    })
    .await;
    assert_eq!((world.turn().await, world.parked().await), (None, 1));
    world.configure(json!({})).await;
    let (_, turn) = world.caller().await.next().await;
    assert_eq!(turn.answers, [message(1)]);
    world.wait_until_settled(&INBOX_EVENTS).await;
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn an_entry_that_nobody_can_read_is_buried_and_later_ones_are_answered() {
    let world = World::started(json!({})).await;
    let subject = subjects::inbox(&conversation());
    let kind = vec![(
        MESSAGE_TYPE.to_owned(),
        proto_schemas::inbox::InboxEntry::TYPE.to_owned(),
    )];
    let broken = bus::Outgoing::raw(
        subject.clone(),
        Bytes::from_static(b"{\"entry\":1}"),
        "broken",
        kind,
    );
    world.bus.publish(broken).await.unwrap();
    world.append(&text(2)).await;
    let (_, turn) = world.caller().await.next().await;
    assert_eq!(asked(&turn), (vec![], vec!["q2"]));
    world.wait_until_settled(&INBOX_EVENTS).await;
    let letters = world.dead_letters().await;
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(
        (letter.class.as_str(), &letter.subject),
        ("undecodable", &subject)
    );
}
