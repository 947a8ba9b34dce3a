//! How a conversation starts afresh, and how it is forgotten.

use proto_schemas::topology::INBOX;
use reqwest::Method;
use serde_json::json;
use testkit::client::client;

use crate::fixture::{Answer, Fixture, VIEWER, answer};

const CONVERSATION: &str = "/v1/conversations/conv_3kq7zt";

impl Fixture {
    async fn reset(&self, path: &str, body: &str) -> Answer {
        let request = self.request(Method::POST, &format!("{path}/reset"));
        answer(request.body(body.to_owned())).await
    }
}

#[tokio::test]
async fn a_conversation_starts_afresh_once_for_each_request_of_an_operator() {
    let console = Fixture::start().await;
    console.reset(CONVERSATION, "{}").await.is(404, "not_found");
    console.receive().await;
    let viewer = console.request_as(VIEWER, Method::POST, &format!("{CONVERSATION}/reset"));
    answer(viewer.body("{}")).await.is(403, "forbidden");
    for bad in ["", "[]", "{\"request_id\": \"a b\"}", "{\"what\": 1}"] {
        console.reset(CONVERSATION, bad).await.is(422, "unusable");
    }
    let named = "{\"request_id\": \"monday\"}";
    let first = console.reset(CONVERSATION, named).await;
    assert_eq!((first.status, &first.body["is_repeated"]), (200, &false.into()));
    let again = console.reset(CONVERSATION, named).await;
    assert_eq!(again.body["message"], first.body["message"]);
    assert_eq!(again.body["is_repeated"], true);
    let unnamed = console.reset(CONVERSATION, "{}").await;
    assert_ne!(unnamed.body["message"], first.body["message"]);
    let trace = format!("/v1/messages/{}/trace", first.body["message"].as_str().unwrap());
    assert_eq!(console.get(&trace).await.status, 200);
}

#[tokio::test]
async fn a_conversation_is_forgotten_by_operators_only() {
    let console = Fixture::start().await;
    let delete = || console.request(Method::DELETE, CONVERSATION);
    answer(delete()).await.is(404, "not_found");
    console.receive().await;
    answer(console.request_as(VIEWER, Method::DELETE, CONVERSATION))
        .await
        .is(403, "forbidden");
    let forgotten = answer(delete()).await;
    assert_eq!(forgotten.status, 200, "{}", forgotten.body);
    assert_eq!(forgotten.body["entries"], json!({"inbox": 1}));
    assert_eq!(forgotten.body["interrupted"], 0);
    let left = console.bus.last(INBOX.name, "inbox.conv_3kq7zt").await.unwrap();
    assert!(left.is_none(), "{left:?}");
    answer(delete()).await.is(404, "not_found");
}

#[tokio::test]
async fn a_second_removal_is_refused_while_the_first_one_is_made() {
    let console = Fixture::start().await;
    console.receive().await;
    // A removal waits a second for what may be under way, so the other ones come in meanwhile.
    let request = || {
        let (_, request) = console.request(Method::DELETE, CONVERSATION).build_split();
        client().execute(request.unwrap())
    };
    let (one, other) = tokio::join!(request(), request());
    let mut statuses = [one.unwrap().status().as_u16(), other.unwrap().status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503]);
}

#[tokio::test]
async fn a_key_that_cannot_be_read_removes_nothing_and_says_where_it_is_looked_for() {
    let seed = ("CONSOLE_FORGET_NKEY_SEED", "env:NO_SUCH_VARIABLE_HERE");
    let console = Fixture::with(&[seed]).await;
    console.receive().await;
    let refused = answer(console.request(Method::DELETE, CONVERSATION)).await;
    assert!(refused.body["detail"].as_str().unwrap().contains(seed.0));
    refused.is(502, "forget_user_refused");
    let left = console.bus.last(INBOX.name, "inbox.conv_3kq7zt").await.unwrap();
    assert!(left.is_some());
}
