//! The HTTP channel: what is posted to us.

use channels::{
    Account, Inbound, InboundFile, InboundMessage, MAX_ATTACHMENTS, MAX_FIELD_CHARS, MAX_TEXT_BYTES,
    MAX_URL_BYTES, Refusal, Request,
};
use outbound::signature::{SigningKey, sign};
use proptest::prelude::*;
use proto_schemas::content::FileLocation;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::accounts::{self, NEW_SECRET, OLD_SECRET};

const NOW: u64 = 1_767_224_888;
const ID: &str = "evt_1";

fn headers(id: &str, timestamp: &str, list: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", id.parse().unwrap());
    headers.insert("webhook-timestamp", timestamp.parse().unwrap());
    headers.insert("webhook-signature", list.parse().unwrap());
    headers
}

fn account() -> Account {
    accounts::http("https://callback.test/")
}

fn signed(secret: &str, id: &str, body: &[u8]) -> HeaderMap {
    let key = SigningKey::parse(secret).unwrap();
    headers(id, &NOW.to_string(), &sign(&key, id, NOW, body))
}

fn receive_bytes(account: &Account, body: &[u8]) -> Result<Inbound, Refusal> {
    let headers = signed(OLD_SECRET, ID, body);
    account.receive(&Request {
        headers: &headers,
        body,
        now_secs: NOW,
    })
}

fn receive(body: &Value) -> Result<Inbound, Refusal> {
    receive_bytes(&account(), body.to_string().as_bytes())
}

fn message(body: &Value) -> InboundMessage {
    match receive(body).unwrap() {
        Inbound::Message(message) => message,
        other @ (Inbound::Reset(_)
        | Inbound::Handshake { .. }
        | Inbound::Trouble { .. }
        | Inbound::Ignored { .. }) => panic!("{other:?}"),
    }
}

fn reason(body: &Value) -> String {
    match receive(body) {
        Err(Refusal::BadBody(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn smallest() -> Value {
    json!({"conversation_id": "c1", "user": {"id": "u1"}, "text": "hello"})
}

/// The smallest message with one field changed.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = smallest();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    body.pointer_mut(parent).unwrap()[field] = value;
    body
}

#[test]
fn the_published_vector_is_authentic() {
    let body = br#"{"test": 2432232314}"#;
    let headers = headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    );
    let outcome = account().receive(&Request {
        headers: &headers,
        body,
        now_secs: 1_614_265_330,
    });
    assert_eq!(outcome, Err(Refusal::BadBody("user is missing".to_owned())));
}

#[test]
fn nothing_is_read_before_it_is_authentic() {
    let account = account();
    let body = b"not even JSON";
    let good = signed(OLD_SECRET, ID, body);
    let refused = |headers: &HeaderMap, body: &[u8], now_secs: u64| {
        let outcome = account.receive(&Request {
            headers,
            body,
            now_secs,
        });
        assert!(matches!(outcome, Err(Refusal::Unauthorized(_))), "{outcome:?}");
    };
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut headers = good.clone();
        headers.remove(name);
        refused(&headers, body, NOW);
        headers.insert(name, "x".parse().unwrap());
        refused(&headers, body, NOW);
    }
    refused(&good, b"not even JSON ", NOW);
    refused(&good, body, NOW + 301);
    refused(&good, body, NOW - 301);
    assert!(matches!(receive_bytes(&account, body), Err(Refusal::BadBody(_))));
}

#[test]
fn either_secret_is_good_during_a_rotation() {
    let account = account();
    let body = smallest().to_string().into_bytes();
    for secret in [OLD_SECRET, NEW_SECRET] {
        let headers = signed(secret, ID, &body);
        assert!(
            account
                .receive(&Request {
                    headers: &headers,
                    body: &body,
                    now_secs: NOW + 300
                })
                .is_ok()
        );
    }
    let headers = signed(accounts::CALLBACK_SECRET, ID, &body);
    assert!(
        account
            .receive(&Request {
                headers: &headers,
                body: &body,
                now_secs: NOW
            })
            .is_err()
    );
}

#[test]
fn the_smallest_message_is_identified_by_its_webhook_id() {
    let message = message(&smallest());
    assert_eq!(
        (
            message.chat_id.as_str(),
            message.user.id.as_str(),
            message.text.as_str()
        ),
        ("c1", "u1", "hello")
    );
    assert_eq!(message.dedup_key, ID);
    assert_eq!(message.message_id.as_deref(), Some(ID));
    assert_eq!(
        (message.thread_id, message.files, message.is_group),
        (None, Vec::new(), false)
    );
}

#[test]
fn everything_a_message_may_hold_is_read() {
    let message = message(&json!({
        "conversation_id": "c1", "thread_id": "t", "message_id": "m", "reply_to": "ignored",
        "user": {"id": "u1", "name": "Ada", "username": "ada"},
        "attachments": [
            {"url": "https://files.test/a.pdf?x=1", "name": "../a.pdf", "content_type": "Application/PDF; v=1", "size": 5},
            {"data_base64": "aGVsbG8=", "name": "b.txt"},
        ]
    }));
    assert_eq!(
        (message.thread_id.as_deref(), message.message_id.as_deref()),
        (Some("t"), Some("m"))
    );
    assert_eq!(message.user.username.as_deref(), Some("ada"));
    let InboundFile::Source(source) = &message.files[0] else {
        panic!("{:?}", message.files)
    };
    assert_eq!((source.name.as_str(), source.bytes), ("a.pdf", Some(5)));
    assert_eq!(source.mime_type.as_deref(), Some("application/pdf"));
    assert_eq!(
        source.location,
        FileLocation::Url {
            url: "https://files.test/a.pdf?x=1".to_owned()
        }
    );
    let inline = InboundFile::Inline {
        name: "b.txt".to_owned(),
        mime_type: None,
        bytes: "hello".into(),
    };
    assert_eq!(message.files[1], inline);
}

#[test]
fn reset_is_the_whole_text_in_any_case() {
    for (text, reset) in [
        ("/reset", true),
        (" /RESET\n", true),
        ("/reset now", false),
        ("reset", false),
    ] {
        let outcome = receive(&with("/text", json!(text))).unwrap();
        assert_eq!(matches!(outcome, Inbound::Reset(_)), reset, "{text:?}");
    }
}

#[test]
fn every_limit_is_reached_and_holds() {
    let field = |count: usize| json!("é".repeat(count));
    let file = |url: String| json!([{ "url": url }]);
    let url = |bytes: usize| format!("https://a.test/{}", "x".repeat(bytes - "https://a.test/".len()));
    let files = |count: usize| json!(vec![json!({"url": "https://a.test/"}); count]);
    for (path, largest, too_large) in [
        (
            "/text",
            json!("x".repeat(MAX_TEXT_BYTES)),
            json!("x".repeat(MAX_TEXT_BYTES + 1)),
        ),
        (
            "/conversation_id",
            field(MAX_FIELD_CHARS),
            field(MAX_FIELD_CHARS + 1),
        ),
        ("/thread_id", field(MAX_FIELD_CHARS), field(MAX_FIELD_CHARS + 1)),
        ("/message_id", field(MAX_FIELD_CHARS), field(MAX_FIELD_CHARS + 1)),
        ("/user/id", field(MAX_FIELD_CHARS), field(MAX_FIELD_CHARS + 1)),
        ("/attachments", files(MAX_ATTACHMENTS), files(MAX_ATTACHMENTS + 1)),
        (
            "/attachments",
            file(url(MAX_URL_BYTES)),
            file(url(MAX_URL_BYTES + 1)),
        ),
        // A character that is not ASCII is kept as six bytes.
        (
            "/attachments",
            file(url(MAX_URL_BYTES)),
            file(url(MAX_URL_BYTES - 5) + "é"),
        ),
    ] {
        assert!(receive(&with(path, largest)).is_ok(), "{path}");
        reason(&with(path, too_large));
    }
    let body = smallest().to_string().into_bytes();
    let long_id = "x".repeat(MAX_FIELD_CHARS + 1);
    let headers = signed(OLD_SECRET, &long_id, &body);
    let outcome = account().receive(&Request {
        headers: &headers,
        body: &body,
        now_secs: NOW,
    });
    assert!(matches!(outcome, Err(Refusal::BadBody(_))), "{outcome:?}");
}

#[test]
fn a_bad_body_is_refused_with_its_reason() {
    for (body, expected) in [
        (
            json!({"user": {"id": "u"}, "text": "x"}),
            "conversation_id is missing",
        ),
        (json!({"conversation_id": "c", "text": "x"}), "user is missing"),
        (
            json!({"conversation_id": "c", "user": {}, "text": "x"}),
            "user.id is missing",
        ),
        (
            with("/text", json!(" ")),
            "there is neither text nor an attachment",
        ),
        (
            with("/conversation_id", json!("")),
            "conversation_id needs 1 to 256 characters",
        ),
        (
            with("/attachments", json!([{"name": "a"}])),
            "attachments[0] needs either url or data_base64",
        ),
        (
            with("/attachments", json!([{"data_base64": "aGVsbG8"}])),
            "attachments[0].data_base64 is not",
        ),
        (
            with("/attachments", json!([{"url": "file:///etc/passwd"}])),
            "attachments[0].url is not an http",
        ),
        (
            with("/text", json!(5)),
            "a field is missing or has the wrong type",
        ),
    ] {
        let reason = reason(&body);
        assert!(reason.starts_with(expected), "{reason}");
    }
}

#[test]
fn a_reason_does_not_repeat_the_body() {
    let reason = reason(&with("/conversation_id", json!({"password": "hunter2"})));
    assert!(!reason.contains("hunter2"), "{reason}");
}

proptest! {
    #[test]
    fn no_signed_bytes_make_receiving_panic(body: Vec<u8>) {
        prop_assert!(receive_bytes(&account(), &body).is_err());
    }

    #[test]
    fn no_signed_text_makes_receiving_panic(text in "[\\[\\]{}\":,a-z0-9_/ ]{0,80}") {
        let body = text.into_bytes();
        drop(receive_bytes(&account(), &body));
    }

    #[test]
    fn no_unsigned_bytes_are_taken(body: Vec<u8>, list in "[ -~]{0,80}", at in "[ -~]{0,20}") {
        let headers = headers(ID, &at, &list);
        let outcome = account().receive(&Request { headers: &headers, body: &body, now_secs: NOW });
        prop_assert!(matches!(outcome, Err(Refusal::Unauthorized(_))));
    }
}
