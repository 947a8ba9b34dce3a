//! Each way in which a webhook fails has a class of its own, and harms no other conversation.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use testkit::backend::Scripted;

use crate::samples::{turn, turn_for};
use crate::world::World;

/// One more than a webhook may answer in bytes.
const TOO_LARGE: usize = 256 * 1024 + 1;

/// Small as it is, it is far larger than a reply may be when it is decompressed.
const ZEROS: &[u8] = include_bytes!("../../../shared/outbound/tests/it/zeros.gz");
/// JSON as a server writes it that knows no UTF-8.
const LATIN1: &[u8] = b"{\"content\": \"caf\xe9\"}";

/// Conversation, answer, class of the dead letter, status of its attempt.
fn table() -> Vec<(&'static str, Scripted, &'static str, Option<u16>)> {
    let json = |body: &'static str| Scripted::raw("application/json", body);
    let redirect = Scripted::Status {
        status: 302,
        headers: vec![("location".to_owned(), "/elsewhere".to_owned())],
        body: "".into(),
    };
    let gzip = |body: &'static [u8]| Scripted::Status {
        status: 200,
        headers: vec![("content-encoding".to_owned(), "gzip".to_owned())],
        body: body.into(),
    };
    let (bomb, no_gzip) = (gzip(ZEROS), gzip(b"{\"content\":\"x\"}"));
    let slowly = Scripted::Drip {
        body: json!({"content": "much too slow"}).to_string().into(),
        pause: Duration::from_millis(100),
    };
    let oversize = json!({"content": "x".repeat(TOO_LARGE)}).to_string();
    vec![
        ("bad-request", Scripted::status(400), "client_error", Some(400)),
        ("unauthorized", Scripted::status(401), "unauthorized", Some(401)),
        ("forbidden", Scripted::status(403), "unauthorized", Some(403)),
        ("missing", Scripted::status(404), "client_error", Some(404)),
        ("gone", Scripted::status(410), "gone", Some(410)),
        ("redirect", redirect, "redirect", Some(302)),
        (
            "timeout-status",
            Scripted::status(408),
            "request_timeout",
            Some(408),
        ),
        ("limited", Scripted::retry_after("0"), "rate_limited", Some(429)),
        ("down", Scripted::status(503), "server_error", Some(503)),
        (
            "html",
            Scripted::raw("text/html", "<html>"),
            "not_json",
            Some(200),
        ),
        ("empty", json(""), "not_json", Some(200)),
        (
            "latin1",
            Scripted::raw("application/json; charset=iso-8859-1", LATIN1),
            "not_utf8",
            Some(200),
        ),
        ("bomb", bomb, "reply_too_large", Some(200)),
        ("no-gzip", no_gzip, "body", Some(200)),
        ("no-content", json("{}"), "no_content", Some(200)),
        ("wrong-shape", json("{\"content\": 1}"), "no_content", Some(200)),
        (
            "bad-file",
            json(r#"{"content":"x","attachments":[{"url":"file:///x"}]}"#),
            "bad_attachment",
            Some(200),
        ),
        (
            "oversize",
            Scripted::raw("application/json", oversize),
            "reply_too_large",
            Some(200),
        ),
        (
            "endless",
            Scripted::Endless {
                chunk: "x".repeat(4096).into(),
            },
            "reply_too_large",
            Some(200),
        ),
        (
            "truncated",
            Scripted::Truncated {
                body: "{\"content\":".into(),
            },
            "body",
            Some(200),
        ),
        ("drip", slowly, "timeout", Some(200)),
        ("hang", Scripted::Hang, "timeout", None),
        ("hang-up", Scripted::Disconnect, "other", None),
    ]
}

#[tokio::test]
async fn every_failure_has_its_class_and_its_own_dead_letter() {
    let settings = json!({"timeout": "1s", "retry": {"attempts": 1, "max_age": "0s"}});
    let mut world = World::new().await;
    // Each has an integration of its own: what one webhook says closes no other's circuit.
    for (name, ..) in table() {
        world.configure(name, settings.clone()).await;
    }
    world.start().await;
    let scripts: BTreeMap<String, Scripted> = table()
        .into_iter()
        .map(|(name, script, _, _)| (format!("conv_{name}"), script))
        .collect();
    world
        .backend
        .respond_with(move |call| scripts[call.conversation_id()].clone());
    for (name, ..) in table() {
        world.offer(&turn_for(name, name)).await;
    }
    for (name, ..) in table() {
        world.wait_until_gone(&turn(name)).await;
    }

    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), table().len());
    for (name, _, class, status) in table() {
        let subject = format!("turns.conv_{name}");
        let letter = letters.iter().find(|letter| letter.subject == subject).unwrap();
        assert_eq!(
            (letter.class.as_str(), letter.attempts[0].status),
            (class, status),
            "{name}: {letter:?}"
        );
        assert_eq!(letter.attempts.len(), 1, "{name}");
        assert!(
            !letter.cause.contains("127.0.0.1"),
            "{name} names the URL: {}",
            letter.cause
        );
        let delivery = world.delivery(&turn(name)).await.unwrap();
        assert_eq!(delivery.conclusion.result.as_str(), "failure", "{name}");
    }
    // No redirect was followed, and nothing was sent twice.
    assert_eq!(world.backend.calls().len(), table().len());
}

#[tokio::test]
async fn what_stays_wrong_is_given_up_at_once_whatever_the_budget() {
    let world = World::started(json!({"retry": {"attempts": 5, "max_age": "3m"}})).await;
    let turn = turn("a");
    world.backend.respond_with(|_| Scripted::status(400));
    world.offer(&turn).await;
    world.wait_until_gone(&turn).await;
    assert_eq!(world.backend.calls().len(), 1);
    let letters = world.dead_letters().await;
    assert_eq!(letters[0].cause, "HTTP 400: scripted: scripted 400");
}
