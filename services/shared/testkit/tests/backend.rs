//! The fake webhook.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "helpers of tests: a panic is their report"
)]

use std::time::Duration;

use serde_json::{Value, json};
use testkit::backend::{Ending, FakeBackend, Scripted, always, fail_first, most_in_flight};
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};

fn request(conversation: &str, texts: &[&str]) -> String {
    let messages: Vec<Value> = texts
        .iter()
        .map(|text| json!({ "role": "user", "content": text }))
        .collect();
    json!({
        "messages": messages,
        "conversation_id": conversation,
        "user": { "id": "u", "platform": "http" },
        "bot": { "id": "b", "name": "B" },
        "metadata": { "channel": "http", "chat_id": "c" },
    })
    .to_string()
}

async fn call(backend: &FakeBackend, texts: &[&str]) -> reqwest::Result<reqwest::Response> {
    client()
        .post(backend.url())
        .header("webhook-id", "t1")
        .body(request("conv_1", texts))
        .send()
        .await
}

async fn content(answer: reqwest::Response) -> String {
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    body["content"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_echo_proves_what_the_webhook_was_told() {
    let backend = FakeBackend::start().await;
    assert_eq!(
        content(call(&backend, &["a", "b", "c"]).await.unwrap()).await,
        "3: c | heard: a,b"
    );
    assert_eq!(
        content(call(&backend, &["a"]).await.unwrap()).await,
        "1: a | heard: "
    );
    let calls = backend.wait_for_calls(2).await;
    assert_eq!((calls[0].number, calls[0].last_text()), (0, "c".to_owned()));
    assert_eq!(calls[1].header("Webhook-Id"), Some("t1"));
    assert_eq!(calls[1].body, request("conv_1", &["a"]));
    assert!(matches!(calls[1].ending, Ending::Answered(at) if at >= calls[1].received_at));
}

#[tokio::test]
async fn a_body_that_is_not_the_guides_is_recorded_all_the_same() {
    let backend = FakeBackend::start().await;
    client().post(backend.url()).body("no json").send().await.unwrap();
    let call = backend.calls().remove(0);
    assert!(call.request.is_none());
    assert_eq!((&call.body[..], call.conversation_id()), (&b"no json"[..], ""));
}

#[tokio::test]
async fn scripted_failures_come_in_their_number_and_in_the_guides_form() {
    let backend = FakeBackend::start().await;
    backend.respond_with(fail_first(2, 503));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(call(&backend, &["a"]).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [503, 503, 200]);
    backend.respond_with(always(400));
    let answer = call(&backend, &["a"]).await.unwrap();
    assert_eq!(answer.status(), 400);
    let error: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(error, json!({ "error": "scripted 400", "code": "scripted" }));
    backend.respond_with(|_| Scripted::retry_after("7"));
    let answer = call(&backend, &["a"]).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
}

#[tokio::test]
async fn held_calls_are_recorded_at_once_and_answered_when_released() {
    let backend = FakeBackend::start().await;
    let gate = backend.hold();
    let url = backend.url();
    let caller = tokio::spawn(async move { client().post(url).body(request("conv_1", &["a"])).send().await });
    let held = backend.wait_for_calls(1).await.remove(0);
    assert_eq!(held.ending, Ending::Open);
    assert!(!caller.is_finished());
    gate.release();
    assert_eq!(content(caller.await.unwrap().unwrap()).await, "1: a | heard: ");
    // The gate is open for those that come later too.
    call(&backend, &["b"]).await.unwrap();
    assert_eq!(most_in_flight(&backend.calls()), 1);
}

#[tokio::test]
async fn a_caller_that_hangs_up_is_told_from_one_that_was_answered() {
    let backend = FakeBackend::start().await;
    backend.respond_with(|_| Scripted::Hang);
    let hasty = client()
        .post(backend.url())
        .timeout(Duration::from_millis(100))
        .body("{}");
    assert!(hasty.send().await.unwrap_err().is_timeout());
    wait_until(PATIENCE, "the hung-up call's end", async || {
        matches!(backend.calls()[0].ending, Ending::Abandoned(_))
    })
    .await;
}

#[tokio::test]
async fn a_delayed_answer_comes_no_earlier_than_its_delay() {
    let backend = FakeBackend::start().await;
    let delay = Duration::from_millis(50);
    backend.respond_with(move |_| Scripted::text("late").after(delay));
    assert_eq!(content(call(&backend, &["a"]).await.unwrap()).await, "late");
    let call = backend.calls().remove(0);
    assert!(call.ending.at().unwrap() - call.received_at >= delay);
}

#[tokio::test]
async fn a_cut_connection_is_an_error_and_no_status() {
    let backend = FakeBackend::start().await;
    backend.respond_with(|_| Scripted::Disconnect);
    let error = call(&backend, &["a"]).await.unwrap_err();
    assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
    assert!(matches!(backend.calls()[0].ending, Ending::Abandoned(_)));
}

#[tokio::test]
async fn bodies_drip_break_off_or_never_end_as_scripted() {
    let backend = FakeBackend::start().await;
    let body = "{\"content\":\"slow\"}";
    backend.respond_with(move |_| Scripted::Drip {
        body: body.into(),
        pause: Duration::from_millis(1),
    });
    let mut dripping = call(&backend, &["a"]).await.unwrap();
    assert_eq!(dripping.chunk().await.unwrap().unwrap().len(), 1);
    assert_eq!(dripping.text().await.unwrap(), body[1..]);

    backend.respond_with(|_| Scripted::Truncated {
        body: "{\"content\":".into(),
    });
    let truncated = call(&backend, &["a"]).await.unwrap();
    assert_eq!(truncated.status(), 200);
    assert!(truncated.bytes().await.is_err());

    backend.respond_with(|_| Scripted::Endless {
        chunk: vec![b' '; 64 * 1024].into(),
    });
    let mut endless = call(&backend, &["a"]).await.unwrap();
    let mut taken = 0;
    while taken < 8 << 20 {
        taken += endless.chunk().await.unwrap().expect("the body never ends").len();
    }
}

#[tokio::test]
async fn a_dropped_backend_refuses_connections() {
    let backend = FakeBackend::start().await;
    let url = backend.url();
    drop(backend);
    wait_until(PATIENCE, "the end of the backend", async || {
        client()
            .post(&url)
            .body("{}")
            .send()
            .await
            .is_err_and(|error| error.is_connect())
    })
    .await;
}
