//! A test that is made.

use reqwest::Method;
use serde_json::json;

use crate::fixture::{Fixture, VIEWER, body};

#[tokio::test]
async fn a_report_is_passed_on_as_it_is() {
    let console = Fixture::start().await;
    for outcome in [
        json!({"kind": "reply", "status": 200, "content": "Hi", "metadata": {"model": "m"}}),
        json!({"kind": "failure", "class": "timeout", "detail": "too slow", "hint": "Raise it."}),
    ] {
        let request = console.test_request("support", json!({"message": "Hello!"}).to_string());
        let (asked, response) = console.answered(request, outcome.clone()).await;
        assert_eq!(
            (asked.integration.as_str(), asked.message.as_str()),
            ("support", "Hello!")
        );
        assert!(!asked.preview_only);
        assert_eq!(response.status(), 200);
        assert_eq!(
            body(response).await,
            json!({"integration": "support", "outcome": outcome})
        );
    }
    assert_eq!(console.count("ok").await, 2);
}

#[tokio::test]
async fn a_preview_is_asked_for_as_one_and_viewers_may() {
    let console = Fixture::start().await;
    let preview = console
        .request_as(VIEWER, Method::POST, "/v1/integrations/support/preview")
        .body(json!({"message": "Hello!"}).to_string());
    let test = json!({"message": "Hello!", "preview": true}).to_string();
    for request in [preview, console.test_request("support", test)] {
        let (asked, response) = console.answered(request, json!({"kind": "preview"})).await;
        assert!(asked.preview_only);
        assert_eq!(response.status(), 200);
    }
}
