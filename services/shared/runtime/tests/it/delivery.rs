//! How messages reach the stage: kept alive, limited, given back, after a restart.

use std::time::Duration;

use proto_schemas::topology::DELIVERY_WORK;
use runtime::stage::Outcome;
use testkit::condition::{PATIENCE, wait_for, wait_until};

use crate::fixture::{Scripted, World, publish};

/// The shortest that the configuration allows.
const ACK_WAIT: Duration = Duration::from_secs(1);
/// Far below the default `ack_wait` of 30 s: what comes within this did not wait for it.
const AT_ONCE: Duration = Duration::from_secs(10);

/// Waits for so many `ack_wait`s by the broker's clock: those of a message of a like consumer that nobody keeps alive.
async fn let_ack_wait_pass(world: &World, times: u64) {
    publish(&world.bus, "deliveries.clock", "clock").await;
    let consumer = world.bus.consumer(&DELIVERY_WORK).await.unwrap();
    let mut clock = consumer.work(1).await.unwrap();
    while clock.next().await.unwrap().delivered <= times {}
}

#[tokio::test]
async fn work_that_takes_longer_than_ack_wait_is_not_delivered_twice() {
    let world = World::new(Some(ACK_WAIT)).await;
    let stage = Scripted::holding(&world, |_| Outcome::Done);
    world.run(&stage, 4);
    world.publish("slow").await;
    stage.wait_for(1).await;

    let_ack_wait_pass(&world, 2).await;

    stage.release();
    world.wait_until_gone("slow").await;
    assert_eq!(stage.handled().len(), 1);
}

#[tokio::test]
async fn signs_that_the_broker_does_not_hear_prolong_no_claim() {
    let world = World::new(Some(ACK_WAIT)).await;
    let stage = Scripted::holding(&world, |_| Outcome::Done);
    world.run(&stage, 4);
    world.publish("slow").await;
    let lease = stage.wait_for(1).await.remove(0).lease;
    world.server.pause().await;
    wait_until(PATIENCE, "the claim to be lost", async || !lease.is_held()).await;
    assert_eq!(world.bus.reconnects(), 0, "the connection stands");
    world.server.resume();
    stage.release();
    world.wait_until_gone("slow").await;
    assert!(!lease.is_held(), "once lost it stays lost");
}

#[tokio::test]
async fn a_claim_ends_when_the_broker_is_lost_and_its_work_is_not_given_back_at_once() {
    let mut world = World::new(None).await;
    let stage = Scripted::holding(&world, |handled| match handled.text.as_str() {
        "slow" => Outcome::retry_after(Duration::ZERO, "not yet"),
        _ => Outcome::Done,
    });
    world.run(&stage, 4);
    world.publish("slow").await;
    let lease = stage.wait_for(1).await.remove(0).lease;
    assert!(lease.is_held());
    let mut connected = world.bus.connected();
    world.server.kill();
    connected.wait_for(|connected| !*connected).await.unwrap();
    assert!(!lease.is_held());

    world.server.restart().await;
    connected.wait_for(|connected| *connected).await.unwrap();
    stage.release();
    wait_until(PATIENCE, "the outcome", async || world.outcomes("retry") == "1").await;
    world.publish("other").await;
    world.wait_until_gone("other").await;
    assert_eq!(
        stage.tally()["slow"],
        1,
        "another may have it, and keeps it by its signs"
    );
}

#[tokio::test]
async fn work_is_taken_although_a_question_for_its_consumer_is_not_answered_yet() {
    let mut world = World::new(Some(2 * ACK_WAIT)).await;
    let stage = Scripted::new(&world, |_| Outcome::Done);
    world.server.pause().await;
    world.run(&stage, 4);
    tokio::task::yield_now().await;
    // The question is out, and is lost with the server.
    world.bus.flush().await.unwrap();
    world.lose_broker().await;
    world.restart_broker().await;

    world.publish("after").await;
    let_ack_wait_pass(&world, 1).await;
    assert_eq!(stage.handled().len(), 1);
}

#[tokio::test]
async fn a_claim_is_kept_although_the_last_connection_left_a_question_unanswered() {
    let ack_wait = 2 * ACK_WAIT;
    let mut world = World::new(Some(ack_wait)).await;
    let stage = Scripted::holding(&world, |_| Outcome::Done);
    world.run(&stage, 4);
    world.publish("before").await;
    let lost = stage.wait_for(1).await.remove(0).lease;
    world.server.pause().await;
    // It is lost because the broker does not answer, so it was asked.
    wait_until(PATIENCE, "the claim to be lost", async || !lost.is_held()).await;
    world.lose_broker().await;
    world.restart_broker().await;

    world.publish("after").await;
    let found = async || {
        stage
            .handled()
            .into_iter()
            .find(|handled| handled.text == "after")
    };
    let claim = wait_for(PATIENCE, "the work to be taken", found).await.lease;
    let_ack_wait_pass(&world, 1).await;
    assert!(claim.is_held());
}

#[tokio::test]
async fn the_concurrency_is_reached_and_never_exceeded() {
    let world = World::new(None).await;
    let stage = Scripted::holding(&world, |_| Outcome::Done);
    let texts: Vec<String> = (0..12).map(|number| format!("m{number}")).collect();
    for text in &texts {
        world.publish(text).await;
    }
    world.run(&stage, 3);
    stage.wait_for(3).await;
    stage.release();
    for text in &texts {
        world.wait_until_gone(text).await;
    }
    assert_eq!(stage.most_in_flight(), 3);
    assert_eq!(stage.handled().len(), texts.len());
}

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_gives_back_at_once_what_is_not() {
    const IN_FLIGHT: usize = 64;
    const ALL: usize = 100;
    let world = World::new(None).await;
    let first = Scripted::holding(&world, |_| Outcome::Done);
    let second = Scripted::new(&world, |_| Outcome::Done);
    let texts: Vec<String> = (0..ALL).map(|number| format!("m{number}")).collect();
    for text in &texts {
        world.publish(text).await;
    }
    let draining = world.run(&first, IN_FLIGHT);
    first.wait_for(IN_FLIGHT).await;
    // The broker's answer comes behind all that it sent before, so the second pull is in the buffer.
    wait_until(PATIENCE, "messages pulled ahead", async || {
        world.state().await.ack_pending == ALL as u64
    })
    .await;
    draining.shutdown.cancel();

    world.run(&second, 4);
    wait_until(AT_ONCE, "the other replica to get the rest", async || {
        second.tally().len() == ALL - IN_FLIGHT
    })
    .await;
    assert!(!draining.running.is_finished());
    first.release();
    draining.running.await.unwrap().unwrap();
    for text in &texts {
        world.wait_until_gone(text).await;
    }
    assert_eq!(
        (first.handled().len(), second.handled().len()),
        (IN_FLIGHT, ALL - IN_FLIGHT)
    );
}

#[tokio::test]
async fn a_runner_goes_on_when_the_broker_is_back() {
    let mut world = World::new(None).await;
    let stage = Scripted::new(&world, |_| Outcome::Done);
    let started = world.run(&stage, 4);
    world.publish("before").await;
    world.wait_until_gone("before").await;

    world.lose_broker().await;
    world.restart_broker().await;
    world.publish("after").await;
    world.wait_until_gone("after").await;
    assert!(world.bus.reconnects() >= 1);
    started.stop().await;
}

#[tokio::test]
async fn a_runner_waits_for_a_broker_that_is_away_and_can_still_be_stopped() {
    let world = World::new(None).await;
    world.lose_broker().await;
    let started = world.run(&Scripted::new(&world, |_| Outcome::Done), 4);
    started.stop().await;
}
