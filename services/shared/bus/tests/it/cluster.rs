//! The broker is a cluster, and its nodes do not hear each other for a while.

use std::iter::repeat_with;

use bus::{Bus, BusConfig, BusError, OnDifference};
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use proto_schemas::topology::INBOX;
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::{NatsCluster, NatsServer};

use crate::broker::{connect, message};

#[tokio::test]
async fn a_message_that_is_still_being_written_is_not_refused() {
    let cluster = NatsCluster::start().await;
    let config = BusConfig {
        url: cluster.url(),
        name: "test".to_owned(),
        replicas: 3,
        ack_wait: None,
    };
    let bus = Bus::connect(config).await.unwrap();
    bus.connected().wait_for(|connected| *connected).await.unwrap();
    Box::pin(bus.ensure_topology(OnDifference::Keep)).await.unwrap();

    let (leader, followers) = cluster.into_leader_and_followers(INBOX.name).await;
    let bus = connect(&leader, None).await;
    join_all(followers.iter().map(NatsServer::pause)).await;
    let publish = || bus.publish(message("inbox.a", 1, "m1"));
    let mut both: FuturesUnordered<_> = repeat_with(publish).take(2).collect();
    let told = both.next().await.unwrap();
    assert!(
        matches!(&told, Err(BusError::Unavailable(cause)) if cause.contains("in process")),
        "{told:?}"
    );

    followers.iter().for_each(NatsServer::resume);
    wait_until(PATIENCE, "the message to be written", async || {
        publish().await.is_ok()
    })
    .await;
    assert!(bus.last(INBOX.name, "inbox.a").await.unwrap().is_some());
}
