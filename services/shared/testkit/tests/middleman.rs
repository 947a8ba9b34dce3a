//! The middleman between a pusher and a webhook.

use testkit::backend::FakeBackend;
use testkit::client::client;
use testkit::middleman::Middleman;

async fn post(middleman: &Middleman, body: &'static str) -> u16 {
    let answer = client().post(middleman.url()).body(body).send().await;
    answer.map_or(0, |answer| answer.status().as_u16())
}

fn bodies(backend: &FakeBackend) -> Vec<Vec<u8>> {
    let calls = backend.calls();
    calls.into_iter().map(|call| call.body.to_vec()).collect()
}

#[tokio::test]
async fn what_is_passed_on_is_what_the_tampering_says() {
    let backend = FakeBackend::start().await;
    let mut kept = None;
    // Swaps the first two.
    let middleman = Middleman::start(&backend.url(), move |passing| match kept.take() {
        None => {
            kept = Some(passing);
            Vec::new()
        }
        Some(earlier) => vec![passing, earlier],
    })
    .await;
    assert_eq!(post(&middleman, "one").await, 200, "what it keeps it takes");
    assert_eq!(post(&middleman, "two").await, 200);
    assert_eq!(bodies(&backend), [b"two", b"one"]);
}

#[tokio::test]
async fn the_answer_and_the_headers_pass_too() {
    let backend = FakeBackend::start().await;
    backend.respond_with(testkit::backend::always(429));
    let middleman = Middleman::start(&backend.url(), |passing| vec![passing]).await;
    let request = client().post(middleman.url()).header("webhook-id", "turn_1");
    assert_eq!(request.body("one").send().await.unwrap().status(), 429);
    assert_eq!(backend.calls()[0].header("webhook-id"), Some("turn_1"));
}
