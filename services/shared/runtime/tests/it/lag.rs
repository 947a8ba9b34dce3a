//! How far behind a consumer is, as it is shown.

use bus::Work;
use proto_schemas::topology::{TURN_WORK, TURNS};
use runtime::lag::Lag;
use testkit::condition::{PATIENCE, wait_until};

use crate::fixture::World;

/// What is shown: pending, handed out, handed out again, and when the oldest was stored.
fn shown(world: &World) -> [u64; 4] {
    let figure = |name: &str| {
        let labels = "{consumer=\"webhook-caller\",stream=\"TURNS\",service=\"egress\"}";
        let value = world.count(&format!("chatbot_consumer_{name}{labels}"));
        value.parse().unwrap()
    };
    [
        figure("pending_messages"),
        figure("ack_pending_messages"),
        figure("redelivered_messages"),
        figure("oldest_pending_timestamp_seconds"),
    ]
}

async fn take(world: &World) -> Work {
    let consumer = world.bus.consumer(&TURN_WORK).await.unwrap();
    consumer.work(1).await.unwrap().next().await.unwrap()
}

#[tokio::test]
async fn what_waits_is_shown_and_stays_shown_while_the_broker_is_away() {
    let world = World::new(None).await;
    let lag = Lag::new(world.bus.clone(), vec![TURN_WORK], &world.metrics).unwrap();
    lag.look(&TURN_WORK).await.unwrap();
    assert_eq!(shown(&world), [0, 0, 0, 0]);

    world.publish("a").await;
    let stored = world.bus.entries(TURNS.name, ">", 1, 1, 1024).await.unwrap().list;
    let oldest = stored[0].stored_millis().unwrap().0 / 1000;
    world.publish("b").await;
    lag.look(&TURN_WORK).await.unwrap();
    assert_eq!(shown(&world), [2, 0, 0, oldest]);

    let work = take(&world).await;
    wait_until(PATIENCE, "the work to be handed out", async || {
        lag.look(&TURN_WORK).await.unwrap();
        shown(&world) == [1, 1, 0, oldest]
    })
    .await;

    world.lose_broker().await;
    lag.look(&TURN_WORK).await.unwrap_err();
    assert_eq!(shown(&world), [1, 1, 0, oldest]);
    drop(work);
}
