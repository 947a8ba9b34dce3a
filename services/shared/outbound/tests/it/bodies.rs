//! Bodies that are too large, endless or slow.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONTENT_ENCODING;
use axum::routing::get as on_get;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use outbound::{CallFailure, ReadError, read_capped};
use reqwest::Response;

use crate::servers::{get, serve, serve_once};

/// 16 MiB of zeros in 16 KiB of gzip.
const BOMB: &[u8] = include_bytes!("zeros.gz");
const LIMIT: usize = 64 * 1024;

async fn answer(body: impl Fn() -> axum::response::Response + Clone + Send + Sync + 'static) -> Response {
    let url = serve(Router::new().route("/", on_get(move || async move { body() }))).await;
    get(&url).timeout(Duration::from_secs(30)).send().await.unwrap()
}

fn endless() -> axum::response::Response {
    let chunks = stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 1024])));
    axum::response::Response::new(Body::from_stream(chunks))
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_read() {
    let response = answer(|| axum::response::Response::new(Body::from(vec![b'x'; LIMIT]))).await;
    assert_eq!(read_capped(response, LIMIT).await.unwrap().len(), LIMIT);
}

#[tokio::test]
async fn one_byte_more_is_too_large() {
    let response = answer(|| axum::response::Response::new(Body::from(vec![b'x'; LIMIT + 1]))).await;
    assert!(matches!(
        read_capped(response, LIMIT).await,
        Err(ReadError::TooLarge { max_bytes: LIMIT })
    ));
}

#[tokio::test]
async fn one_byte_more_is_too_large_even_unannounced() {
    let chunks = |last: &'static [u8]| {
        let chunks = [Bytes::from(vec![b'x'; LIMIT - 1]), Bytes::from_static(last)];
        axum::response::Response::new(Body::from_stream(stream::iter(chunks.map(Ok::<_, Infallible>))))
    };
    assert!(
        read_capped(answer(move || chunks(b"y")).await, LIMIT)
            .await
            .is_ok()
    );
    let error = read_capped(answer(move || chunks(b"yz")).await, LIMIT)
        .await
        .unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_left_at_the_limit() {
    assert!(matches!(
        read_capped(answer(endless).await, LIMIT).await,
        Err(ReadError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn a_compressed_bomb_is_measured_after_decoding() {
    let bomb = || {
        axum::response::Response::builder()
            .header(CONTENT_ENCODING, "gzip")
            .body(Body::from(BOMB))
            .unwrap()
    };
    assert!(
        BOMB.len() < LIMIT,
        "the announced length alone must not be the reason"
    );
    assert!(matches!(
        read_capped(answer(bomb).await, LIMIT).await,
        Err(ReadError::TooLarge { .. })
    ));
    let whole = read_capped(answer(bomb).await, 16 << 20).await.unwrap();
    assert_eq!(whole.len(), 16 << 20);
}

#[tokio::test]
async fn a_body_that_is_not_what_its_encoding_says_is_a_body_failure() {
    let broken = || {
        axum::response::Response::builder()
            .header(CONTENT_ENCODING, "gzip")
            .body(Body::from("no"))
            .unwrap()
    };
    let error = read_capped(answer(broken).await, LIMIT).await.unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Failed {
                class: CallFailure::Body,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_slow_drip_meets_the_deadline_of_the_whole_call() {
    let drip = || {
        let bytes = stream::repeat(Bytes::from_static(b"x")).then(|byte| async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok::<_, Infallible>(byte)
        });
        axum::response::Response::new(Body::from_stream(bytes))
    };
    let url = serve(Router::new().route("/", on_get(move || async move { drip() }))).await;
    let response = get(&url)
        .timeout(Duration::from_millis(100))
        .send()
        .await
        .unwrap();
    let error = read_capped(response, LIMIT).await.unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Failed {
                class: CallFailure::Timeout,
                ..
            }
        ),
        "{error}"
    );
    assert!(!error.to_string().contains("127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_body_failure() {
    let url = serve_once(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
    let error = read_capped(get(&url).send().await.unwrap(), LIMIT)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ReadError::Failed {
                class: CallFailure::Body,
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_body_that_announces_too_much_is_not_awaited() {
    let url = serve_once(b"HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n").await;
    let error = read_capped(get(&url).send().await.unwrap(), LIMIT)
        .await
        .unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { .. }), "{error}");
}
