//! What the parts of a call took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get as on_get;
use outbound::{Client, Phases, Stopwatch, call_class};
use reqwest::Method;
use tokio::net::TcpListener;
use url::Url;

use crate::servers::{open_client, serve};
use crate::tls::{policy, tls_server};

/// How long the slow server thinks.
const THOUGHT: Duration = Duration::from_millis(120);

/// One call by a client of its own: what its parts took, all of it, and whether it was answered.
async fn timed(client: &Client, url: &Url) -> (Phases, Duration, bool) {
    let stopwatch = Arc::new(Stopwatch::default());
    let client = client.with_stopwatch(Arc::clone(&stopwatch)).unwrap();
    let began = Instant::now();
    let request = client.request(Method::GET, url).unwrap();
    let answer = client.send(request).await;
    (stopwatch.phases(), began.elapsed(), answer.is_ok())
}

#[tokio::test]
async fn a_call_by_name_and_tls_has_all_parts_and_they_are_within_the_whole() {
    let (url, pem) = tls_server().await;
    let client = Client::new(policy(), Some(pem.as_bytes())).unwrap();
    for _ in 0..2 {
        let (phases, total, answered) = timed(&client, &url).await;
        assert!(answered);
        let parts = [phases.dns, phases.connect, phases.tls, phases.first_byte];
        let sum: Duration = parts.iter().map(|part| part.unwrap()).sum();
        assert!(sum <= total, "{phases:?} is more than {total:?}");
        // Two signatures and a key exchange take more than nothing.
        assert!(phases.tls > Some(Duration::from_micros(50)), "{phases:?}");
    }
}

#[tokio::test]
async fn the_peers_thinking_counts_towards_the_first_byte_alone() {
    let slow = on_get(|| async {
        tokio::time::sleep(THOUGHT).await;
        "hello"
    });
    let url = serve(Router::new().route("/", slow)).await;
    let (phases, _, answered) = timed(&open_client(), &url).await;
    assert!(answered);
    assert!(phases.first_byte >= Some(THOUGHT), "{phases:?}");
    assert!(phases.connect.unwrap() < THOUGHT, "{phases:?}");
    assert_eq!(
        (phases.dns, phases.tls),
        (None, None),
        "an address, by plain HTTP"
    );
}

#[tokio::test]
async fn a_call_that_fails_has_the_parts_that_it_came_to_the_end_of() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = Url::parse(&format!("http://localhost:{port}/")).unwrap();
    let (phases, _, answered) = timed(&open_client(), &url).await;
    assert!(!answered && phases.dns.is_some(), "{phases:?}");
    assert_eq!(
        (phases.connect, phases.tls, phases.first_byte),
        (None, None, None)
    );

    let (url, _) = tls_server().await;
    let stranger = Client::new(policy(), None).unwrap();
    let (phases, _, answered) = timed(&stranger, &url).await;
    assert!(!answered && phases.connect.is_some(), "{phases:?}");
    assert_eq!(
        (phases.tls, phases.first_byte),
        (None, None),
        "its certificate is refused"
    );
}

#[tokio::test]
async fn a_timed_call_is_refused_what_any_other_is_refused() {
    let nowhere = Url::parse("https://localhost:1/").unwrap();
    let strict = Client::new(outbound::Policy::public_only(), None).unwrap();
    let timed = strict.with_stopwatch(Arc::default()).unwrap();
    let request = timed.request(Method::GET, &nowhere).unwrap();
    let error = timed.send(request).await.unwrap_err();
    assert_eq!(call_class(&error), outbound::CallFailure::Denied);
    let literal = Url::parse("https://127.0.0.1/").unwrap();
    assert!(timed.request(Method::GET, &literal).is_err());
}
