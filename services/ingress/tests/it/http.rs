//! Pushes of the HTTP channel.

use data_encoding::BASE64;
use domain::files::content_key;
use proto_schemas::content::FileLocation;
use proto_schemas::inbox::InboxEntry;
use proto_schemas::subjects;
use proto_schemas::topology::INBOX;
use serde_json::json;
use testkit::callback::{new_secret, push_with_id, sign_push, text_message};
use testkit::client::client;
use testkit::s3::{FakeS3, borrowed};

use crate::fixture::{BROKEN, Fixture, HTTP, TELEGRAM, body, only_received};

#[tokio::test]
async fn a_signed_push_is_in_the_stream_when_it_is_answered() {
    let fixture = Fixture::start(&[]).await;
    let answer = fixture
        .push("push-1", &text_message("chat-1", "ada", "Hello"))
        .await;
    assert_eq!(answer.status(), 202);
    let answer = body(answer).await;

    let received = only_received(fixture.inbox().await);
    assert_eq!(answer["id"], received.message_id.as_str());
    assert_eq!(answer["conversation_id"], received.conversation.as_str());
    assert_eq!(
        (received.text.as_str(), received.user.id.as_str()),
        ("Hello", "ada")
    );
    assert_eq!(
        (received.bot.as_str(), received.connection.as_str()),
        ("support", HTTP)
    );
    assert_eq!(received.address.chat_id, "chat-1");
    assert_eq!(received.address.message_id.as_deref(), Some("push-1"));
    let stored = fixture
        .entries(INBOX.name, &subjects::inbox(&received.conversation))
        .await;
    assert_eq!(
        stored[0].header("Nats-Msg-Id"),
        Some(received.message_id.as_str())
    );
    assert_eq!(fixture.requests("http", "accepted").await, 1);
}

#[tokio::test]
async fn the_same_push_again_is_answered_alike_and_stored_once() {
    let fixture = Fixture::start(&[]).await;
    let message = text_message("chat-1", "ada", "Hello");
    let first = fixture.push("push-1", &message).await;
    let second = fixture.push("push-1", &message).await;
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (202, 202));
    assert_eq!(body(first).await, body(second).await);
    only_received(fixture.inbox().await);
    assert_eq!(fixture.requests("http", "duplicate").await, 1);
}

#[tokio::test]
async fn a_reset_is_stored_as_one() {
    let fixture = Fixture::start(&[]).await;
    assert_eq!(
        fixture
            .push("push-1", &text_message("chat-1", "ada", "/reset"))
            .await
            .status(),
        202
    );
    let entries = fixture.inbox().await;
    assert!(matches!(entries[..], [InboxEntry::Reset(_)]), "{entries:?}");
}

#[tokio::test]
async fn a_trace_that_comes_along_goes_on() {
    let fixture = Fixture::start(&[]).await;
    let message = text_message("chat-1", "ada", "Hello").to_string();
    let now = runtime::clock::now().0 / 1000;
    let request = client().post(format!("{}/v1/channels/{HTTP}/messages", fixture.url));
    let request = request.header(
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    );
    let headers = sign_push(&fixture.secret, "push-1", now, message.as_bytes());
    let request = headers
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value));
    assert_eq!(request.body(message).send().await.unwrap().status(), 202);
    let stored = fixture.entries(INBOX.name, "inbox.*").await;
    let trace = stored[0].header("traceparent").unwrap();
    assert!(
        trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"),
        "{trace}"
    );
}

#[tokio::test]
async fn a_wrong_signature_is_unauthorized_and_stores_nothing() {
    let fixture = Fixture::start(&[("CONNECTION_RATE", "1"), ("CONNECTION_BURST", "1")]).await;
    let message = text_message("chat-1", "ada", "Hello");
    let forged = new_secret("another");
    // More often than the connection may push: what is not authentic does not count.
    for _ in 0..3 {
        let answer = push_with_id(&fixture.url, HTTP, &forged, "push-1", &message)
            .await
            .unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(body(answer).await["code"], "unauthorized");
    }
    assert_eq!(fixture.inbox().await, []);
    assert_eq!(fixture.push("push-2", &message).await.status(), 202);
    assert_eq!(fixture.requests("http", "unauthorized").await, 3);
}

#[tokio::test]
async fn an_unknown_connection_or_the_wrong_route_is_not_found() {
    let fixture = Fixture::start(&[]).await;
    let message = text_message("chat-1", "ada", "Hello");
    for connection in ["nobody", "not%20an%20id", TELEGRAM] {
        let pushed = push_with_id(&fixture.url, connection, &fixture.secret, "push-1", &message).await;
        let answer = pushed.unwrap();
        assert_eq!(answer.status(), 404, "{connection}");
        assert_eq!(body(answer).await["code"], "unknown_connection", "{connection}");
    }
    assert_eq!(fixture.requests("http", "unknown_connection").await, 3);
}

#[tokio::test]
async fn a_body_that_is_wrong_is_refused_with_the_reason() {
    let fixture = Fixture::start(&[]).await;
    let no_user = json!({"conversation_id": "chat-1", "text": "Hello"});
    for (message, reason) in [(json!("text"), "wrong type"), (no_user, "user is missing")] {
        let answer = fixture.push("push-1", &message).await;
        assert_eq!(answer.status(), 400);
        let answer = body(answer).await;
        assert_eq!(answer["code"], "bad_body");
        assert!(answer["error"].as_str().unwrap().contains(reason), "{answer}");
    }
    assert_eq!(fixture.requests("http", "bad_body").await, 2);
}

#[tokio::test]
async fn a_body_over_the_cap_is_refused_and_one_at_the_cap_is_taken() {
    let fixture = Fixture::start(&[("MAX_BODY_BYTES", "1024")]).await;
    let empty = text_message("chat-1", "ada", "").to_string().len();
    let at_cap = text_message("chat-1", "ada", &"x".repeat(1024 - empty));
    let over_cap = text_message("chat-1", "ada", &"x".repeat(1025 - empty));
    assert_eq!(fixture.push("push-1", &at_cap).await.status(), 202);
    let answer = fixture.push("push-2", &over_cap).await;
    assert_eq!(answer.status(), 413);
    assert_eq!(body(answer).await["code"], "body_too_large");
    assert_eq!(fixture.requests("http", "too_large").await, 1);
}

#[tokio::test]
async fn an_inline_file_is_in_the_object_store_under_a_harmless_name() {
    let fixture = Fixture::start(&[]).await;
    let message = json!({
        "conversation_id": "chat-1", "user": {"id": "ada"},
        "attachments": [
            {"url": "https://files.example/a.pdf", "name": "a.pdf"},
            {"data_base64": BASE64.encode(b"content"), "name": "../b.txt", "content_type": "text/plain"},
        ],
    });
    assert_eq!(fixture.push("push-1", &message).await.status(), 202);
    let received = only_received(fixture.inbox().await);
    assert!(matches!(received.files[0].location, FileLocation::Url { .. }));
    let FileLocation::Stored(stored) = &received.files[1].location else {
        panic!("not stored: {:?}", received.files[1])
    };
    assert_eq!(
        (stored.name.as_str(), stored.mime_type.as_str(), stored.bytes),
        ("b.txt", "text/plain", 7)
    );
    assert_eq!(stored.key, content_key(b"content"));
    assert_eq!(fixture.bus.file(&stored.key, 1024).await.unwrap(), "content");
}

#[tokio::test]
async fn while_the_bucket_is_away_a_push_with_a_file_is_to_be_sent_again() {
    let s3 = FakeS3::start().await;
    let fixture = Fixture::start(&borrowed(&s3.settings())).await;
    let file = json!({"data_base64": BASE64.encode(b"content"), "name": "b.txt"});
    let message = json!({"conversation_id": "chat-1", "user": {"id": "ada"}, "attachments": [file]});
    s3.break_down(503, "SlowDown");
    let refused = fixture.push("push-1", &message).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(body(refused).await["code"], "not_stored");
    assert!(fixture.inbox().await.is_empty());
    s3.recover();
    assert_eq!(fixture.push("push-1", &message).await.status(), 202);
    assert_eq!(s3.keys(), [content_key(b"content")]);
}

#[tokio::test]
async fn a_connection_without_its_secrets_is_unavailable_and_says_nothing_of_them() {
    let fixture = Fixture::start(&[]).await;
    let message = text_message("chat-1", "ada", "Hello");
    let pushed = push_with_id(&fixture.url, BROKEN, &fixture.secret, "push-1", &message).await;
    let answer = pushed.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let answer = body(answer).await;
    assert_eq!(answer["code"], "connection_misconfigured");
    assert!(!answer["error"].as_str().unwrap().contains("file:"), "{answer}");
}
