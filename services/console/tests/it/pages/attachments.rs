//! Files that users have sent.

use bus::{Outgoing, TraceContext};
use bytes::Bytes;
use files::Files;
use proto_schemas::content::IncomingFile;
use proto_schemas::transcript::Transcript;
use reqwest::Method;

use crate::fixture::Fixture;

const TRANSCRIPT: &str = include_str!("../../../../../proto-schemas/examples/transcript.v1/full.json");

#[tokio::test]
async fn a_file_of_a_conversation_is_saved_by_who_is_signed_in() {
    let console = Fixture::start().await;
    let text = Bytes::from_static(b"<script>alert(1)</script>");
    let store = Files::in_broker(console.bus.clone());
    let stored = store
        .store("é \"x\".html".to_owned(), "text/html".to_owned(), &text)
        .await
        .unwrap();
    let mut transcript: Transcript = serde_json::from_str(TRANSCRIPT).unwrap();
    transcript.question[0].files = vec![IncomingFile::Stored(stored)];
    let subject = format!("transcripts.{}", transcript.conversation);
    let message = Outgoing::new(subject, &transcript, "t", TraceContext::new()).unwrap();
    console.bus.publish(message).await.unwrap();

    let viewer = console.viewer().await;
    let page = viewer
        .get(&format!("/conversations/{}", transcript.conversation))
        .await;
    let (_, rest) = page.html.split_once("href=\"/attachments/").unwrap();
    let address = format!("/attachments/{}", rest.split('"').next().unwrap());
    let file = viewer.send(Method::GET, &address, &[]).await;
    assert_eq!(file.status(), 200);
    let headers = file.headers().clone();
    let expected = [
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "sandbox; default-src 'none'"),
        ("cache-control", "no-store"),
        (
            "content-disposition",
            "attachment; filename=\"_ _x_.html\"; filename*=UTF-8''%C3%A9%20%22x%22.html",
        ),
    ];
    for (name, value) in expected {
        assert_eq!(headers[name], value, "{name}");
    }
    assert_eq!(file.bytes().await.unwrap(), text);

    let stranger = console.stranger(Method::GET, &address).send().await.unwrap();
    assert!(stranger.url().path().starts_with("/login"), "{}", stranger.url());
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_found() {
    let console = Fixture::start().await;
    let viewer = console.viewer().await;
    for key in ["sha256/00", "x", "..%2F..", "%00", "*", "a.b/>"] {
        viewer
            .get(&format!("/attachments/{key}"))
            .await
            .holds(404, &["not_found"]);
    }
}

#[tokio::test]
async fn a_file_that_is_larger_than_any_that_is_stored_is_not_sent() {
    const MOST: usize = 50 * 1024 * 1024;
    let console = Fixture::start().await;
    let viewer = console.viewer().await;
    for (key, bytes, status) in [("most", MOST, 200), ("more", MOST + 1, 404)] {
        let file = Bytes::from(vec![0; bytes]);
        console.bus.store_file(key, &file).await.unwrap();
        let sent = viewer
            .send(Method::GET, &format!("/attachments/{key}"), &[])
            .await;
        assert_eq!(sent.status(), status, "{key}");
        if status == 200 {
            assert_eq!(sent.bytes().await.unwrap(), file);
        }
    }
}
