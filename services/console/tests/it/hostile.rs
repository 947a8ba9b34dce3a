//! Whatever is sent, the answer is a problem document, and the service goes on.

use reqwest::{Method, RequestBuilder};

use crate::fixture::{Fixture, answer};
use crate::records::ABSENT;

fn change(console: &Fixture, path: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let request = console.request(Method::PUT, path).header(ABSENT.0, ABSENT.1);
    request.body(body)
}

#[tokio::test]
async fn a_body_that_is_no_record_is_refused() {
    let console = Fixture::start().await;
    let path = "/v1/integrations/echo";
    for broken in [&b""[..], b"{", b"\xff\xfe", b"{} {}"] {
        answer(change(&console, path, broken)).await.is(422, "unusable");
    }
    let nested = "[".repeat(200_000);
    answer(change(&console, path, nested)).await.is(422, "unusable");
    for other in ["null", "[]", "{}", "\"echo\"", r#"{"id": "a.b", "url": "x"}"#] {
        answer(change(&console, path, other)).await.is(422, "invalid");
    }
    let huge = "x".repeat(256 * 1024 + 1);
    answer(change(&console, path, huge.clone()))
        .await
        .is(413, "too_large");
    let reading = console.request(Method::GET, path).body(huge);
    answer(reading).await.is(413, "too_large");
    assert_eq!(console.get("/v1/integrations/support").await.status, 200);
}

#[tokio::test]
async fn an_address_that_names_nothing_reaches_nothing() {
    let console = Fixture::start().await;
    let long = "x".repeat(129);
    for id in [
        "..%2f..", "a..b", "a.b", "*", "%3E", "%00", "a%00b", "%FF", "a%2Fb", "a%20b", &long,
    ] {
        let path = format!("/v1/integrations/{id}");
        console.get(&path).await.is(404, "not_found");
        answer(change(&console, &path, "{}")).await.is(404, "not_found");
        console.get(&format!("{path}/history")).await.is(404, "not_found");
    }
    assert_eq!(console.get("/v1/integrations/support").await.status, 200);
}

#[tokio::test]
async fn a_query_that_is_none_is_refused() {
    let console = Fixture::start().await;
    for bad in [
        "cursor=a..b",
        "cursor=%00",
        "limit=0",
        "limit=1000000",
        "limit=",
        "offset=3",
        "limit=1&limit=2",
    ] {
        console.get(&format!("/v1/bots?{bad}")).await.is(400, "bad_query");
    }
}
