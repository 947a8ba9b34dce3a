//! Who may do what, and how often.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::fixture::{Fixture, VIEWER, answer};
use crate::records::{ABSENT, integration};

#[tokio::test]
async fn a_viewer_reads_and_checks_and_changes_nothing() {
    let console = Fixture::start().await;
    let path = "/v1/integrations/support";
    let before = console.get(path).await;
    let viewing = |method, path: &str| console.request_as(VIEWER, method, path);
    for shown in [
        "/v1/integrations",
        path,
        "/v1/integrations/support/history",
        "/v1/openapi.json",
    ] {
        assert_eq!(answer(viewing(Method::GET, shown)).await.status, 200, "{shown}");
    }
    let record = integration("support", "9s").to_string();
    let validate = viewing(Method::POST, "/v1/integrations/support/validate").body(record.clone());
    assert_eq!(answer(validate).await.status, 200);

    let test = json!({"message": "Hello!", "preview": true}).to_string();
    let forbidden = [
        viewing(Method::PUT, path)
            .header("if-match", before.tag())
            .body(record.clone()),
        viewing(Method::PUT, "/v1/bots/new")
            .header(ABSENT.0, ABSENT.1)
            .body(record),
        viewing(Method::DELETE, path).header("if-match", before.tag()),
        viewing(Method::POST, "/v1/integrations/support/rollback").body(r#"{"revision": 1}"#),
        viewing(Method::POST, "/v1/integrations/support/test").body(test),
    ];
    for request in forbidden {
        answer(request).await.is(403, "forbidden");
    }
    assert_eq!(console.get(path).await.tag, before.tag);
    assert_eq!(console.count("forbidden").await, 5);
}

#[tokio::test]
async fn a_token_has_a_rate_and_others_have_theirs() {
    let console = Fixture::with(&[("CONSOLE_REQUESTS_PER_SECOND", "1")]).await;
    // More at once than its rate allows in the time that a test has.
    let asking = (0..30).map(|_| console.request(Method::GET, "/v1/bots").send());
    let answers = join_all(asking).await;
    let refused: Vec<_> = answers
        .into_iter()
        .map(Result::unwrap)
        .filter(|answer| answer.status() == 429)
        .collect();
    assert_eq!(refused[0].headers()["retry-after"], "1");
    assert_eq!(console.count("too_many_requests").await, refused.len() as u64);
    let viewer = console.request_as(VIEWER, Method::GET, "/v1/bots");
    assert_eq!(answer(viewer).await.status, 200);
}

#[tokio::test]
async fn strangers_that_ask_again_and_again_are_put_off_and_shut_nobody_out() {
    let console = Fixture::start().await;
    let asking = (0..150).map(|_| answer(console.stranger(Method::GET, "/v1/bots")));
    let answers = join_all(asking).await;
    let told = |code: &str| {
        answers
            .iter()
            .filter(|answer| answer.body["code"] == code)
            .count()
    };
    let (refused, put_off) = (told("unauthorized"), told("too_many_strangers"));
    assert!(refused > 0 && put_off > 0, "{refused} {put_off}");
    assert_eq!(refused + put_off, answers.len());
    assert_eq!(console.get("/v1/bots").await.status, 200);
}
