//! What was given up, over the API.

use bus::{Outgoing, TraceContext};
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::topology::INBOX;
use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Answer, Fixture, VIEWER, answer};

/// When all of them were given up.
const BURIED_AT: u64 = 1000;

impl Fixture {
    /// Buries work of a stage, from a stream or from outside.
    pub(crate) async fn bury(&self, id: &str, stage: &str, stream: Option<&str>) {
        let letter = json!({"id": id, "stage": stage, "class": "timeout", "cause": "a reason", "stream": stream,
            "subject": "inbox.conv_a", "payload": {"text": "{}"}, "buried_at": BURIED_AT});
        let letter: DeadLetter = serde_json::from_value(letter).unwrap();
        let subject = format!("dead-letters.{stage}.timeout.{id}");
        let message = Outgoing::new(subject, &letter, id, TraceContext::new());
        self.bus.publish(message.unwrap()).await.unwrap();
    }

    async fn replay(&self, id: &str) -> Answer {
        let path = format!("/v1/dead-letters/{id}/replay");
        answer(self.request(Method::POST, &path)).await
    }

    async fn many(&self, verb: &str, body: Value) -> Answer {
        let request = self.request(Method::POST, &format!("/v1/dead-letters/{verb}"));
        answer(request.body(body.to_string())).await
    }

    /// The identifiers of a list.
    async fn listed(&self, query: &str) -> Vec<Value> {
        let listed = self.get(&format!("/v1/dead-letters{query}")).await;
        assert_eq!(listed.status, 200, "{}", listed.body);
        let items = listed.body["items"].as_array().unwrap();
        items.iter().map(|item| item["id"].clone()).collect()
    }
}

#[tokio::test]
async fn dead_letters_are_listed_by_filter_and_page_and_shown_whole() {
    let console = Fixture::start().await;
    for (id, stage) in [("one", "egress"), ("two", "ingress"), ("three", "egress")] {
        console.bury(id, stage, Some(INBOX.name)).await;
    }
    assert_eq!(console.listed("").await, ["one", "two", "three"]);
    assert_eq!(
        console.listed("?stage=egress&since=1000&class=timeout").await,
        ["one", "three"]
    );
    assert_eq!(console.listed("?stage=ingress&until=1000").await, ["two"]);
    for none in ["?since=1001", "?until=999"] {
        assert!(console.listed(none).await.is_empty(), "{none}");
    }
    let first = console.get("/v1/dead-letters?limit=2").await;
    assert!(!first.body.to_string().contains("payload"), "{}", first.body);
    let cursor = first.body["next_cursor"].as_str().unwrap();
    assert_eq!(
        console.listed(&format!("?limit=2&cursor={cursor}")).await,
        ["three"]
    );
    let shown = console.get("/v1/dead-letters/two").await;
    assert_eq!(
        (shown.status, &shown.body["payload"]),
        (200, &json!({"text": "{}"}))
    );
    console.get("/v1/dead-letters/nowhere").await.is(404, "not_found");
    for bad in [
        "stage=nonsense",
        "cursor=x",
        "cursor=-1",
        "since=x",
        "until=x",
        "limit=0",
        "limit=101",
        "what=1",
    ] {
        console
            .get(&format!("/v1/dead-letters?{bad}"))
            .await
            .is(400, "bad_query");
    }
}

#[tokio::test]
async fn a_dead_letter_is_replayed_or_removed_by_operators_only() {
    let console = Fixture::start().await;
    console.bury("one", "context-builder", Some(INBOX.name)).await;
    console.bury("two", "context-builder", Some(INBOX.name)).await;
    for (method, path) in [(Method::DELETE, "one"), (Method::POST, "one/replay")] {
        let path = format!("/v1/dead-letters/{path}");
        answer(console.request_as(VIEWER, method, &path))
            .await
            .is(403, "forbidden");
    }
    let replayed = console.replay("one").await;
    assert_eq!(
        replayed.body,
        json!({"kind": "published", "subject": "inbox.conv_a"})
    );
    assert!(
        console
            .bus
            .last(INBOX.name, "inbox.conv_a")
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(console.listed("").await, ["two"]);
    console.replay("one").await.is(404, "not_found");
    let removed = answer(console.request(Method::DELETE, "/v1/dead-letters/two")).await;
    assert_eq!(removed.body, json!({"removed": "two"}));
    assert!(console.listed("").await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_replayed_stays() {
    let console = Fixture::start().await;
    console.bury("one", "ingress", None).await;
    console.replay("one").await.is(409, "not_replayable");
    assert_eq!(console.listed("").await, ["one"]);
}

#[tokio::test]
async fn many_dead_letters_are_replayed_and_what_stays_is_told_with_its_cause() {
    let console = Fixture::start().await;
    console.bury("one", "context-builder", Some(INBOX.name)).await;
    console.bury("outside", "ingress", None).await;
    console.bury("two", "context-builder", Some(INBOX.name)).await;
    let first = console
        .many("replay", json!({"class": "timeout", "limit": 2}))
        .await;
    assert_eq!(first.status, 200, "{}", first.body);
    let published = json!({"kind": "published", "subject": "inbox.conv_a"});
    assert_eq!(first.body["done"], json!([{"id": "one", "replayed": published}]));
    let left = &first.body["failed"][0];
    assert_eq!(
        (&left["id"], &left["code"]),
        (&"outside".into(), &"not_replayable".into())
    );
    let next = json!({"all": true, "cursor": first.body["next_cursor"]});
    let second = console.many("replay", next).await;
    assert_eq!(second.body["done"][0]["id"], "two");
    assert_eq!(
        (second.body["failed"].clone(), &second.body["next_cursor"]),
        (json!([]), &Value::Null)
    );
    assert_eq!(console.listed("").await, ["outside"]);
}

#[tokio::test]
async fn many_dead_letters_are_removed_by_operators_who_say_which() {
    let console = Fixture::start().await;
    for (id, stage) in [("one", "egress"), ("two", "ingress"), ("three", "egress")] {
        console.bury(id, stage, Some(INBOX.name)).await;
    }
    for verb in ["purge", "replay"] {
        for bad in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "limit": 101}),
            json!({"all": true, "limit": 0}),
            json!({"all": true, "cursor": "x"}),
            json!({"stage": "nonsense"}),
            json!({"what": 1}),
        ] {
            console.many(verb, bad).await.is(422, "unusable");
        }
        let path = format!("/v1/dead-letters/{verb}");
        let viewer = console.request_as(VIEWER, Method::POST, &path);
        answer(viewer.body("{\"all\": true}")).await.is(403, "forbidden");
    }
    let removed = console.many("purge", json!({"stage": "egress"})).await;
    assert_eq!(removed.body["done"], json!([{"id": "one"}, {"id": "three"}]));
    assert_eq!(console.listed("").await, ["two"]);
    let none = console.many("purge", json!({"stage": "egress"})).await;
    assert_eq!((none.status, &none.body["done"]), (200, &json!([])));
}
