//! What is called, and how failures are named.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::get as on_get;
use outbound::{CallFailure, Client, Denied, Policy, call_class, error_text};
use reqwest::Method;
use tokio::net::TcpListener;
use url::Url;

use crate::servers::{get, open_client, serve, serve_once};

async fn failure_of(url: &str, client: &Client) -> (CallFailure, String) {
    let url = Url::parse(url).unwrap();
    let error = client
        .request(Method::GET, &url)
        .unwrap()
        .send()
        .await
        .unwrap_err();
    (call_class(&error), error_text(error))
}

#[tokio::test]
async fn the_loopback_is_refused_without_an_exception() {
    let url = serve(Router::new()).await;
    let client = Client::new(Policy::public_only(), None).unwrap();
    assert!(matches!(
        client.request(Method::GET, &url),
        Err(Denied::Address { .. })
    ));
    assert_eq!(get(&url).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_name_that_leads_to_the_loopback_is_refused_when_it_is_connected() {
    let client = Client::new(Policy::public_only(), None).unwrap();
    let (class, text) = failure_of("https://localhost:1/bot123:SECRET/x", &client).await;
    assert_eq!(class, CallFailure::Denied, "{text}");
    assert!(text.contains("not publicly routable"), "{text}");
    assert!(!text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn a_redirect_is_handed_back_and_not_followed() {
    let followed = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&followed);
    let count = move || async move {
        seen.fetch_add(1, Ordering::SeqCst);
    };
    let router = Router::new()
        .route("/from", on_get(|| async { Redirect::temporary("/to") }))
        .route("/to", on_get(count));
    let url = serve(router).await;
    let response = get(&url.join("from").unwrap()).send().await.unwrap();
    assert_eq!(response.status(), 307);
    assert_eq!(followed.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_dns_failure() {
    // `.invalid` never resolves (RFC 6761).
    let (class, text) = failure_of("https://nowhere.invalid/bot123:SECRET/x", &open_client()).await;
    assert_eq!(class, CallFailure::Dns, "{text}");
    assert!(!text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn a_closed_port_is_a_connect_failure() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (class, text) = failure_of(&format!("http://{address}/bot123:SECRET/x"), &open_client()).await;
    assert_eq!(class, CallFailure::Connect, "{text}");
    assert!(!text.contains("SECRET"), "{text}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_timeout() {
    let url = serve(Router::new().route("/", on_get(std::future::pending::<()>))).await;
    let error = get(&url)
        .timeout(Duration::from_millis(50))
        .send()
        .await
        .unwrap_err();
    assert_eq!(call_class(&error), CallFailure::Timeout);
    assert!(!error_text(error).contains("127.0.0.1"));
}

#[tokio::test]
async fn a_connection_that_closes_without_an_answer_has_a_class_of_its_own() {
    let url = serve_once(b"").await;
    let error = get(&url).send().await.unwrap_err();
    assert_eq!(call_class(&error), CallFailure::Other, "{}", error_text(error));
}

#[tokio::test]
async fn we_say_who_we_are_and_send_no_referer() {
    let echo = |headers: HeaderMap| async move { format!("{headers:?}") };
    let url = serve(Router::new().route("/", on_get(echo))).await;
    let text = get(&url).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("chatbot-platform/"), "{text}");
    assert!(!text.contains("referer"), "{text}");
}
