//! The HTTP channel: what we post to the callback.

use std::time::Duration;

use channels::{
    MAX_CALLBACK_TEXT_BYTES, OutgoingFile, OutgoingReply, Part, PartContent, ReplyKind, SendError, SendMeta,
    Sent, UploadForm,
};
use outbound::signature::{SigningKey, verify};
use outbound::{Client, MAX_RETRY_AFTER, Policy};
use proto_schemas::content::{ReplyAddress, StoredFile};
use serde_json::json;

use crate::accounts::{self, CALLBACK_SECRET};
use crate::platform::{Answer, Platform, Seen, answer, client};

const NOW: u64 = 784_111_777;
const META: SendMeta<'static> = SendMeta {
    part_id: "part-1",
    kind: ReplyKind::Reply,
    now_secs: NOW,
    content: None,
};

fn address() -> ReplyAddress {
    ReplyAddress {
        chat_id: "c1".to_owned(),
        thread_id: None,
        message_id: Some("m1".to_owned()),
        interaction: None,
    }
}

fn stored() -> StoredFile {
    StoredFile {
        key: "k".to_owned(),
        name: "a.pdf".to_owned(),
        mime_type: "application/pdf".to_owned(),
        bytes: 5,
    }
}

fn render(text: &str, files: &[OutgoingFile]) -> Vec<Part> {
    accounts::http("https://callback.test/").render(&OutgoingReply {
        text,
        files,
        buttons: &[],
    })
}

/// Sends a short reply to a callback that answers so.
async fn send(reply: Answer) -> (Result<Sent, SendError>, Vec<Seen>) {
    let platform = Platform::start([reply]).await;
    let account = accounts::http(&format!("{}hook?token=hunter2", platform.url));
    let outcome = account
        .send(&client(), &address(), &render("hi", &[])[0], &META)
        .await;
    (outcome, platform.seen())
}

#[tokio::test]
async fn who_asked_for_no_callback_is_called_nowhere_and_the_reply_counts_as_taken() {
    let part = &render("hi", &[])[0];
    let account = accounts::http_without_callback();
    let sent = account.send(&client(), &address(), part, &META).await;
    assert_eq!(sent.unwrap().platform_message_id, "part-1");
}

#[tokio::test]
async fn a_callback_is_signed_over_the_bytes_that_are_sent() {
    let (outcome, seen) = send(answer(200, "")).await;
    assert_eq!(
        outcome,
        Ok(Sent {
            platform_message_id: "part-1".to_owned()
        })
    );
    let seen = &seen[0];
    assert_eq!(
        (seen.path.as_str(), seen.header("content-type")),
        ("/hook", "application/json")
    );
    let body = json!({"type": "reply", "conversation_id": "c1", "in_reply_to": "m1", "message_id": "part-1",
        "text": "hi", "attachments": []});
    assert_eq!(seen.json(), body);
    let key = SigningKey::parse(CALLBACK_SECRET).unwrap();
    let (id, at) = (seen.header("webhook-id"), seen.header("webhook-timestamp"));
    assert_eq!((id, at), ("part-1", NOW.to_string().as_str()));
    assert_eq!(
        verify(&[key], id, at, seen.header("webhook-signature"), &seen.body, NOW),
        Ok(())
    );
}

#[tokio::test]
async fn a_retry_has_the_same_id_and_a_fresh_signature() {
    let platform = Platform::start([answer(503, ""), answer(200, "")]).await;
    let account = accounts::http(&platform.url);
    let part = &render("hi", &[])[0];
    assert!(account.send(&client(), &address(), part, &META).await.is_err());
    let later = SendMeta {
        now_secs: NOW + 60,
        ..META
    };
    assert!(account.send(&client(), &address(), part, &later).await.is_ok());
    let seen = platform.seen();
    assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"));
    assert_eq!(seen[0].body, seen[1].body);
    assert_ne!(
        seen[0].header("webhook-signature"),
        seen[1].header("webhook-signature")
    );
}

#[tokio::test]
async fn each_status_has_its_class() {
    for (status, expected) in [
        (201, "ok"),
        (204, "ok"),
        (302, "permanent redirected"),
        (400, "permanent refused"),
        (401, "permanent refused"),
        (404, "permanent refused"),
        (410, "permanent gone"),
        (408, "transient server_error"),
        (425, "transient server_error"),
        (500, "transient server_error"),
        (503, "transient server_error"),
        (429, "wait 1"),
    ] {
        let (outcome, seen) = send(answer(status, "").with("location", "/elsewhere")).await;
        assert_eq!(shown(outcome), expected, "{status}");
        assert_eq!(seen.len(), 1, "{status}");
    }
}

fn shown(outcome: Result<Sent, SendError>) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(SendError::RateLimited { retry_after, .. }) => format!("wait {}", retry_after.as_secs()),
        Err(SendError::Transient { class, .. }) => format!("transient {class}"),
        Err(SendError::Permanent { class, .. }) => format!("permanent {class}"),
    }
}

#[tokio::test]
async fn a_pause_that_the_callback_asks_for_is_honoured_up_to_an_hour() {
    for (status, value, expected) in [
        (429, "37", Duration::from_secs(37)),
        (503, "2", Duration::from_secs(2)),
        (429, "Sun, 06 Nov 1994 08:50:37 GMT", Duration::from_secs(60)),
        (429, "86400", MAX_RETRY_AFTER),
    ] {
        let (outcome, _) = send(answer(status, "").with("retry-after", value)).await;
        assert_eq!(shown(outcome), format!("wait {}", expected.as_secs()), "{value}");
    }
}

#[tokio::test]
async fn an_endless_answer_does_not_matter() {
    let (outcome, _) = send(answer(200, "x".repeat(1 << 20))).await;
    assert!(outcome.is_ok(), "{outcome:?}");
}

#[tokio::test]
async fn no_error_shows_the_callbacks_address() {
    let part = &render("hi", &[])[0];
    let (refused, _) = send(answer(500, "")).await;
    let closed = accounts::http("http://127.0.0.1:1/?token=hunter2");
    let unreachable = closed.send(&client(), &address(), part, &META).await;
    assert_eq!(shown(unreachable.clone()), "transient connect");
    let strict = Client::new(Policy::public_only(), None).unwrap();
    let denied = closed.send(&strict, &address(), part, &META).await;
    assert_eq!(shown(denied.clone()), "permanent denied");
    let by_name = accounts::http("https://localhost:1/?token=hunter2");
    let resolved = by_name.send(&strict, &address(), part, &META).await;
    assert_eq!(shown(resolved.clone()), "permanent denied");
    for outcome in [refused, unreachable, denied, resolved] {
        let error = outcome.unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("hunter2") && !text.contains("http://"), "{text}");
    }
}

#[tokio::test]
async fn a_part_of_another_channel_is_refused() {
    let content = PartContent::Upload {
        file: stored(),
        form: UploadForm::Document,
    };
    let part = Part {
        quotes: true,
        content,
        buttons: Vec::new(),
    };
    let outcome = accounts::http("http://127.0.0.1:1/")
        .send(&client(), &address(), &part, &META)
        .await;
    assert_eq!(shown(outcome), "permanent foreign_part");
}

#[tokio::test]
async fn thread_kind_and_links_are_passed_on() {
    let platform = Platform::start([answer(200, "")]).await;
    let account = accounts::http(&platform.url);
    let file = OutgoingFile {
        name: "a.pdf".to_owned(),
        mime_type: Some("application/pdf".to_owned()),
        url: Some("https://files.test/a".to_owned()),
        stored: Some(stored()),
    };
    let gone = OutgoingFile {
        url: None,
        stored: None,
        mime_type: None,
        ..file.clone()
    };
    let foreign = OutgoingFile {
        stored: None,
        mime_type: None,
        ..file.clone()
    };
    let parts = render("", &[file, gone, foreign]);
    assert_eq!(parts.len(), 1);
    let address = ReplyAddress {
        thread_id: Some("t".to_owned()),
        message_id: None,
        ..address()
    };
    let meta = SendMeta {
        kind: ReplyKind::Failure,
        ..META
    };
    account.send(&client(), &address, &parts[0], &meta).await.unwrap();
    let body = json!({"type": "failure", "conversation_id": "c1", "thread_id": "t", "message_id": "part-1",
        "text": "File: a.pdf (not available)", "attachments": [
            {"url": "https://files.test/a", "name": "a.pdf", "content_type": "application/pdf", "size": 5},
            {"url": "https://files.test/a", "name": "a.pdf"}]});
    assert_eq!(platform.seen()[0].json(), body);
}

#[test]
fn a_reply_is_one_part_up_to_the_limit() {
    let text = "x".repeat(MAX_CALLBACK_TEXT_BYTES);
    assert_eq!(render(&text, &[]).len(), 1);
    let parts = render(&format!("{text}y"), &[]);
    assert_eq!(
        parts.iter().map(|part| part.quotes).collect::<Vec<_>>(),
        [true, false]
    );
    assert_eq!(render(" ", &[]), []);
}

#[test]
fn links_go_once_and_with_the_last_part() {
    let url = Some("https://files.test/a".to_owned());
    let file = OutgoingFile {
        name: "a".to_owned(),
        mime_type: None,
        url,
        stored: None,
    };
    let count = |part: &Part| match &part.content {
        PartContent::Message { links, .. } => links.len(),
        PartContent::Upload { .. } => panic!("{part:?}"),
    };
    let long = "x".repeat(MAX_CALLBACK_TEXT_BYTES + 1);
    assert_eq!(
        render(&long, std::slice::from_ref(&file))
            .iter()
            .map(count)
            .collect::<Vec<_>>(),
        [0, 1]
    );
    assert_eq!(render("", &[file]).iter().map(count).collect::<Vec<_>>(), [1]);
}
