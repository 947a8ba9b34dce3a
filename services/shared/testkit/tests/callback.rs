//! The HTTP channel's user.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is their report"
)]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use testkit::backend::FakeBackend;
use testkit::callback::{CallbackReceiver, new_secret, push, push_with_id, sign_push, text_message};
use testkit::client::client;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

async fn reply(receiver: &CallbackReceiver, secret: &str, id: &str, text: &str) -> reqwest::Response {
    let body = json!({ "conversation_id": "c", "text": text }).to_string();
    let request = client().post(receiver.url());
    let headers = sign_push(secret, id, now(), body.as_bytes());
    let request = headers
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value));
    request.body(body).send().await.unwrap()
}

#[tokio::test]
async fn signed_replies_are_kept_in_order_and_others_are_refused() {
    let secret = new_secret("callback");
    let receiver = CallbackReceiver::start(&secret).await;
    assert_eq!(reply(&receiver, &secret, "r1", "one").await.status(), 200);
    assert_eq!(
        reply(&receiver, &new_secret("other"), "r2", "forged")
            .await
            .status(),
        401
    );
    assert_eq!(reply(&receiver, &secret, "r3", "two").await.status(), 200);
    let received = receiver.wait_for(2).await;
    let ids: Vec<_> = received.iter().map(|reply| reply.id.as_str()).collect();
    assert_eq!(ids, ["r1", "r3"]);
    assert_eq!(received[0].conversation_id(), "c");
    assert_eq!(receiver.wait_for_text("wo").await.text(), "two");
    assert_eq!(receiver.refusals(), ["no signature matches"]);
}

#[tokio::test]
async fn failed_attempts_are_not_received_but_remembered() {
    let secret = new_secret("callback");
    let receiver = CallbackReceiver::start(&secret).await;
    receiver.fail_next(1, 500);
    receiver.fail_next_with_retry_after(1, 429, 3);
    assert_eq!(reply(&receiver, &secret, "r1", "x").await.status(), 500);
    let limited = reply(&receiver, &secret, "r1", "x").await;
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"3".parse().unwrap())
    );
    assert!(receiver.received().is_empty());
    assert_eq!(reply(&receiver, &secret, "r1", "x").await.status(), 200);
    assert_eq!(receiver.received().len(), 1);
    let statuses: Vec<_> = receiver.attempts().iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [500, 429, 200]);
}

#[tokio::test]
async fn a_held_reply_is_seen_before_its_sender_knows() {
    let secret = new_secret("callback");
    let receiver = CallbackReceiver::start(&secret).await;
    let gate = receiver.hold();
    let sending = reply(&receiver, &secret, "r1", "x");
    let looking = async {
        receiver.wait_for(1).await;
        gate.release();
    };
    let (answer, ()) = tokio::join!(sending, looking);
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn pushes_carry_fresh_identifiers_unless_one_is_given() {
    // Any server that records requests stands in for ingress.
    let ingress = FakeBackend::start().await;
    let base = ingress.url();
    let secret = new_secret("push");
    let message = text_message("chat", "ada", "hello");
    for _ in 0..2 {
        assert_eq!(push(&base, "web", &secret, &message).await.status(), 200);
    }
    push_with_id(&base, "web", &secret, "again", &message)
        .await
        .unwrap();
    let calls = ingress.calls();
    let ids: Vec<_> = calls
        .iter()
        .map(|call| call.header("webhook-id").unwrap())
        .collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[2], "again");
    let timestamp: u64 = calls[2].header("webhook-timestamp").unwrap().parse().unwrap();
    let [_, _, (name, signature)] = sign_push(&secret, "again", timestamp, &calls[2].body);
    assert_eq!(calls[2].header(name), Some(signature.as_str()));
    let body: serde_json::Value = serde_json::from_slice(&calls[2].body).unwrap();
    assert_eq!(
        (&body["text"], &body["user"]["id"]),
        (&json!("hello"), &json!("ada"))
    );
}
