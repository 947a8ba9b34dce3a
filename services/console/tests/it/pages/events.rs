//! A message watched on its way.

use std::time::Duration;

use bus::{Outgoing, TraceContext};
use proto_schemas::delivery::Delivery;
use proto_schemas::turn::Turn;
use reqwest::{Method, Response};
use testkit::condition::{PATIENCE, wait_until};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::playground::MESSAGE;
use super::{Browser, Shown};
use crate::fixture::{Fixture, OPERATOR, start_until};

const TURN: &str = include_str!("../../../../../proto-schemas/examples/turn.v1/minimal.json");
const DELIVERY: &str = include_str!("../../../../../proto-schemas/examples/delivery.v1/minimal.json");
const EVENTS: &str = "/playground/playground-help/console-1/events?message=msg_3kq7zt_t901";
/// How many may watch at once.
const MOST_WATCHERS: usize = 32;

/// For how long a message is watched.
const LONGEST: Duration = Duration::from_secs(60);

/// What a browser is told.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn of(browser: &Browser) -> Self {
        let response = browser.send(Method::GET, EVENTS, &[]).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let text = String::new();
        Self { response, text }
    }

    /// The name of the next event; none when there are no more.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let name = event.lines().find_map(|line| line.strip_prefix("event: "));
                let found = name.map(ToOwned::to_owned);
                assert!(event.contains("data: "), "{event}");
                self.text = rest.to_owned();
                return Some(found.unwrap());
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("an event");
            let chunk = chunk.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

#[tokio::test]
async fn each_step_of_a_message_is_told_and_its_end_is_the_last() {
    let console = Fixture::start().await;
    let message = console.receive().await;
    assert_eq!(message.message_id().as_str(), MESSAGE);
    let viewer = console.viewer().await;
    let mut events = Events::of(&viewer).await;
    assert_eq!(events.next().await.unwrap(), "changed");
    let turn: Turn = serde_json::from_str(TURN).unwrap();
    let subject = "turns.conv_3kq7zt".to_owned();
    let outgoing = Outgoing::new(subject, &turn, "turn", TraceContext::new());
    console.bus.publish(outgoing.unwrap()).await.unwrap();
    assert_eq!(events.next().await.unwrap(), "changed");
    let delivery: Delivery = serde_json::from_str(DELIVERY).unwrap();
    let subject = "deliveries.conv_3kq7zt".to_owned();
    let outgoing = Outgoing::new(subject, &delivery, "delivery", TraceContext::new());
    console.bus.publish(outgoing.unwrap()).await.unwrap();
    assert_eq!(events.next().await.unwrap(), "changed");
    console.finish("conv_3kq7zt", 17).await;
    assert_eq!(events.next().await.unwrap(), "finished");
    assert_eq!(events.next().await, None);
    let mut late = Events::of(&viewer).await;
    assert_eq!(late.next().await.unwrap(), "finished");
    assert_eq!(late.next().await, None);
}

#[tokio::test]
async fn who_watches_is_let_go_when_the_console_ends() {
    let console = Fixture::start().await;
    console.receive().await;
    let shutdown = CancellationToken::new();
    let starting = start_until(
        console.nats.url(),
        &console.folder,
        OPERATOR,
        &[],
        shutdown.clone(),
    );
    let replica = starting.await.unwrap();
    let url = format!("http://{}", replica.address("http").unwrap());
    let mut events = Events::of(&Browser::signed_in(url, OPERATOR).await).await;
    assert_eq!(events.next().await.unwrap(), "changed");
    shutdown.cancel();
    let ended = async { tokio::join!(events.next(), replica.finish()) };
    // Long before it is let go anyway.
    let (event, code) = timeout(LONGEST / 2, ended).await.expect("it ends");
    assert_eq!(event, None);
    assert_eq!(
        format!("{code:?}"),
        format!("{:?}", std::process::ExitCode::SUCCESS)
    );
}

#[tokio::test]
async fn no_more_watch_at_once_than_there_is_place_for() {
    let console = Fixture::start().await;
    console.receive().await;
    let viewer = console.viewer().await;
    let mut watching = Vec::new();
    for _ in 0..MOST_WATCHERS {
        let mut events = Events::of(&viewer).await;
        assert_eq!(events.next().await.unwrap(), "changed");
        watching.push(events);
    }
    let refused = viewer.send(Method::GET, EVENTS, &[]).await;
    assert_eq!(refused.headers()["retry-after"], "5");
    Shown::of(refused).await.holds(429, &["too_many_requests"]);
    watching.pop();
    wait_until(PATIENCE, "a place", async || {
        viewer.send(Method::GET, EVENTS, &[]).await.status() == 200
    })
    .await;
}

#[tokio::test]
async fn events_are_for_who_is_signed_in_and_names_a_message() {
    let console = Fixture::start().await;
    let login = console.nobody().get(EVENTS).await;
    assert_eq!(login.status, 303);
    let viewer = console.viewer().await;
    for nothing in ["", "?message=", "?message=a.b", "?message=%3Cb%3E"] {
        let address = format!("/playground/playground-help/console-1/events{nothing}");
        viewer
            .get(&address)
            .await
            .holds(404, &["not_found"])
            .lacks(&["<b>"]);
    }
}
