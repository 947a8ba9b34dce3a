//! How the pipeline does, what became of a message, and which webhooks are left in peace.

use bus::{Outgoing, TraceContext};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::limits::{Circuit, CircuitBreaker};
use proto_schemas::topology::{LIMITS, REGISTRY};
use registry::Integration;
use reqwest::Method;
use serde_json::json;

use crate::fixture::{Fixture, VIEWER, answer};

const RECEIVED: &str = include_str!("../../../../proto-schemas/examples/inbox-entry.v1/minimal.json");

impl Fixture {
    /// Puts the sample's message into its inbox.
    pub(crate) async fn receive(&self) -> InboxEntry {
        let entry: InboxEntry = serde_json::from_str(RECEIVED).unwrap();
        let message = Outgoing::new(
            "inbox.conv_3kq7zt".to_owned(),
            &entry,
            entry.message_id().as_str(),
            TraceContext::new(),
        );
        self.bus.publish(message.unwrap()).await.unwrap();
        entry
    }

    /// The webhook of the integration `support` is found failing.
    pub(crate) async fn fail(&self) {
        let settings = self.bus.get::<Integration>(&REGISTRY, "integrations.support");
        let record = CircuitBreaker {
            settings: settings.await.unwrap().unwrap().revision,
            circuit: Circuit::Open {
                pause_millis: 30_000,
                times: 2,
                class: "timeout".to_owned(),
            },
        };
        let key = "breakers.integrations.support";
        let set = self
            .bus
            .compare_and_set(&LIMITS, key, 0, &record, TraceContext::new());
        set.await.unwrap();
    }
}

#[tokio::test]
async fn the_story_of_a_message_is_shown_to_viewers() {
    let console = Fixture::start().await;
    let message = console.receive().await;
    let path = format!("/v1/messages/{}/trace", message.message_id());
    let shown = answer(console.request_as(VIEWER, Method::GET, &path)).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert_eq!(shown.body["steps"][0]["event"], "accepted");
    assert_eq!(shown.body["steps"][1], json!({"event": "waits"}));
    assert_eq!(shown.body["is_finished"], false);
    for unknown in ["msg_3kq7zt_other", "x", "a..b"] {
        let path = format!("/v1/messages/{unknown}/trace");
        console.get(&path).await.is(404, "not_found");
    }
}

#[tokio::test]
async fn an_overview_shows_what_waits_to_viewers() {
    let console = Fixture::start().await;
    console.receive().await;
    console.fail().await;
    let shown = answer(console.request_as(VIEWER, Method::GET, "/v1/overview")).await;
    assert_eq!(shown.status, 200, "{}", shown.body);
    let inbox = &shown.body["waiting"][0];
    assert_eq!(
        (&inbox["stage"], &inbox["stream"], &inbox["pending"]),
        (&"context-builder".into(), &"INBOX".into(), &1.into())
    );
    assert_eq!(shown.body["breakers"][0]["integration"], "support");
    assert_eq!(shown.body["dead_letters"], 0);
}

#[tokio::test]
async fn a_breaker_is_listed_for_viewers_and_closed_by_operators_only() {
    let console = Fixture::start().await;
    let (list, close) = ("/v1/breakers", "/v1/breakers/support/close");
    assert_eq!(console.get(list).await.body, json!({"items": []}));
    console.fail().await;
    let listed = answer(console.request_as(VIEWER, Method::GET, list)).await;
    let open = &listed.body["items"][0];
    assert_eq!(
        (&open["integration"], &open["circuit"], &open["times"]),
        (&"support".into(), &"open".into(), &2.into())
    );
    answer(console.request_as(VIEWER, Method::POST, close))
        .await
        .is(403, "forbidden");
    let closed = answer(console.request(Method::POST, close)).await;
    assert_eq!((closed.status, closed.body), (200, json!({"closed": "support"})));
    assert_eq!(console.get(list).await.body, json!({"items": []}));
    let again = answer(console.request(Method::POST, close)).await;
    again.is(409, "breaker_closed");
    let unknown = console.request(Method::POST, "/v1/breakers/nowhere/close");
    answer(unknown).await.is(404, "not_found");
}
