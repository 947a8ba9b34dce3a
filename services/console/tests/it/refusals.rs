//! What is refused, and how it is said.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::nats::NatsServer;

use crate::fixture::{Fixture, OPERATOR, body, start};

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// Where nothing is.
const ELSEWHERE: &str = "/v1/nothing";

/// Checks that an answer is a problem document with this status and code, and returns its words.
async fn problem(response: reqwest::Response, status: u16, code: &str) -> String {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.status(), status, "{code}");
    let document = body(response).await;
    assert_eq!(
        (&document["code"], &document["status"]),
        (&json!(code), &json!(status))
    );
    assert_eq!(document["type"], "about:blank");
    assert!(!document["title"].as_str().unwrap().is_empty());
    document["detail"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn without_a_token_nothing_is_told() {
    let console = Fixture::start().await;
    let elsewhere = |method| console.stranger(method, ELSEWHERE);
    let strangers = [
        elsewhere(Method::GET),
        console.stranger(Method::POST, "/v1/integrations/%FF/test"),
        elsewhere(Method::GET).bearer_auth("a-token-of-somebody"),
        elsewhere(Method::GET).basic_auth("operator", Some(OPERATOR)),
        elsewhere(Method::POST).body("x".repeat(MAX_BODY_BYTES + 1)),
    ];
    for (number, stranger) in (1..).zip(strangers) {
        let response = stranger.send().await.unwrap();
        assert!(
            response.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer ")
        );
        problem(response, 401, "unauthorized").await;
        assert_eq!(console.count("unauthorized").await, number);
    }
}

#[tokio::test]
async fn what_is_nowhere_is_not_found() {
    let console = Fixture::start().await;
    let elsewhere = console.request(Method::GET, ELSEWHERE).send().await.unwrap();
    problem(elsewhere, 404, "no_route").await;
    let test = json!({"message": "Hello!"}).to_string();
    for (id, code) in [
        ("nowhere", "unknown_integration"),
        ("no%20identifier", "not_found"),
    ] {
        let response = console.test_request(id, test.clone()).send().await.unwrap();
        problem(response, 404, code).await;
    }
    let wrong = console.request(Method::GET, "/v1/integrations/support/test");
    problem(wrong.send().await.unwrap(), 405, "wrong_method").await;
}

#[tokio::test]
async fn a_body_that_is_no_test_is_refused() {
    let console = Fixture::start().await;
    for bad in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"message": 1}"#,
        r#"{"message": "x", "preveiw": true}"#,
    ] {
        let response = console.test_request("support", bad).send().await.unwrap();
        problem(response, 422, "unusable").await;
    }
    let longest = "x".repeat(MAX_BODY_BYTES);
    let response = console
        .test_request("support", longest.clone())
        .send()
        .await
        .unwrap();
    problem(response, 422, "unusable").await;
    let response = console
        .test_request("support", longest + "x")
        .send()
        .await
        .unwrap();
    problem(response, 413, "too_large").await;
}

#[tokio::test]
async fn what_webhook_caller_refuses_has_its_status() {
    let console = Fixture::start().await;
    for (reason, status, waits) in [
        ("unknown_integration", 404, false),
        ("unusable", 422, false),
        ("too_many_tests", 429, true),
        ("limit_reached", 503, true),
        ("interrupted", 502, false),
    ] {
        let outcome = json!({"kind": "refused", "reason": reason, "detail": "for this reason"});
        let request = console.test_request("support", json!({"message": "Hello!"}).to_string());
        let (_, response) = console.answered(request, outcome).await;
        assert_eq!(response.headers().contains_key("retry-after"), waits, "{reason}");
        assert_eq!(problem(response, status, reason).await, "for this reason");
    }
}

#[tokio::test]
async fn nobody_to_ask_and_no_broker_are_told_apart() {
    let console = Fixture::start().await;
    let test: Value = json!({"message": "Hello!"});
    let response = console.test(&test).await;
    assert_eq!(response.headers()["retry-after"], "5");
    problem(response, 503, "nobody_answers").await;
    console.nats.kill();
    let mut connected = console.bus.connected();
    connected.wait_for(|connected| !*connected).await.unwrap();
    let response = console.test(&test).await;
    let status = response.status();
    let code = body(response).await["code"].clone();
    // Its own connection may notice a moment later than ours, and then nothing comes back in time.
    assert!(
        status == 503 && code == "broker_unavailable" || status == 504 && code == "timed_out",
        "{status} {code}"
    );
}

#[tokio::test]
async fn a_report_that_never_comes_is_given_up() {
    let console = Fixture::start().await;
    let _questions = console.questions().await;
    let response = console.test(&json!({"message": "Hello!"})).await;
    problem(response, 504, "timed_out").await;
}

#[tokio::test]
async fn without_a_token_worth_the_name_it_does_not_start() {
    let nats = NatsServer::start().await;
    let folder = tempfile::tempdir().unwrap();
    for token in ["", "hunter2"] {
        let error = start(nats.url(), &folder, token, &[])
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("role operator") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
