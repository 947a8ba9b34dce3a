//! Telegram: what we send.

use channels::{OutgoingFile, OutgoingReply, Part, ReplyKind, SendError, SendMeta, Sent};
use proto_schemas::content::{Button, ReplyAddress};
use serde_json::json;

use crate::accounts::{self, TOKEN};
use crate::platform::{Answer, Platform, answer, client};
use crate::sending::outgoing;

fn address() -> ReplyAddress {
    let text = |text: &str| Some(text.to_owned());
    ReplyAddress {
        chat_id: "-1001".to_owned(),
        thread_id: text("4"),
        message_id: text("101"),
        interaction: None,
    }
}

fn meta(content: Option<&'static [u8]>) -> SendMeta<'static> {
    SendMeta {
        part_id: "p",
        kind: ReplyKind::Reply,
        now_secs: 0,
        content: content.map(Into::into),
    }
}

fn parts(text: &str, files: &[OutgoingFile]) -> Vec<Part> {
    accounts::telegram("https://api.telegram.test", None).render(&OutgoingReply {
        text,
        files,
        buttons: &[],
    })
}

fn picture() -> OutgoingFile {
    outgoing("a \"b\".png", "image/png")
}

fn sent(message_id: u64) -> Answer {
    answer(
        200,
        json!({"ok": true, "result": {"message_id": message_id, "date": 1, "chat": {"id": 1}}}).to_string(),
    )
}

fn refused(status: u16, description: &str) -> Answer {
    answer(
        status,
        json!({"ok": false, "error_code": status, "description": description}).to_string(),
    )
}

async fn send(platform: &Platform, part: &Part, content: Option<&'static [u8]>) -> Result<Sent, SendError> {
    accounts::telegram(&platform.url, None)
        .send(&client(), &address(), part, &meta(content))
        .await
}

#[tokio::test]
async fn a_text_goes_to_its_topic_and_quotes_the_question() {
    let platform = Platform::start([sent(7)]).await;
    let outcome = send(&platform, &parts("<b>hi</b>", &[])[0], None).await;
    assert_eq!(
        outcome,
        Ok(Sent {
            platform_message_id: "7".to_owned()
        })
    );
    let seen = &platform.seen()[0];
    assert_eq!(seen.path, format!("/bot{TOKEN}/sendMessage"));
    let quote = json!({"message_id": 101, "allow_sending_without_reply": true});
    let body =
        json!({"chat_id": "-1001", "message_thread_id": 4, "reply_parameters": quote, "text": "<b>hi</b>"});
    assert_eq!(seen.json(), body);
}

fn buttons() -> Vec<Button> {
    let button = |label: &str, value: Option<&str>, url: Option<&str>| Button {
        label: label.to_owned(),
        value: value.map(str::to_owned),
        url: url.map(str::to_owned),
    };
    vec![
        button("Yes", Some("ok:42"), None),
        button("Later", None, None),
        button("Docs", Some("unused"), Some("https://a.test/")),
    ]
}

fn with_buttons(text: &str, files: &[OutgoingFile]) -> Vec<Part> {
    let buttons = buttons();
    accounts::telegram("https://api.telegram.test", None).render(&OutgoingReply {
        text,
        files,
        buttons: &buttons,
    })
}

#[tokio::test]
async fn buttons_stand_under_the_last_part() {
    let parts = with_buttons("Proceed?", &[picture()]);
    assert_eq!((parts[0].buttons.len(), parts[1].buttons.len()), (0, 3));
    let platform = Platform::start([sent(7), sent(8)]).await;
    send(&platform, &with_buttons("Proceed?", &[])[0], None)
        .await
        .unwrap();
    send(&platform, &parts[1], Some(b"12345")).await.unwrap();
    let keyboard = json!({"inline_keyboard": [
        [{"text": "Yes", "callback_data": "ok:42"}],
        [{"text": "Later", "callback_data": "Later"}],
        [{"text": "Docs", "url": "https://a.test/"}],
    ]});
    let seen = platform.seen();
    assert_eq!(seen[0].json()["reply_markup"], keyboard);
    let form = seen[1].text();
    assert!(
        form.contains("name=\"reply_markup\"") && form.contains(&keyboard.to_string()),
        "{form}"
    );
}

#[tokio::test]
async fn buttons_that_telegram_does_not_take_are_left_out_once() {
    let platform = Platform::start([refused(400, "Bad Request: BUTTON_URL_INVALID"), sent(7)]).await;
    send(&platform, &with_buttons("Proceed?", &[])[0], None)
        .await
        .unwrap();
    assert!(platform.seen()[1].json().get("reply_markup").is_none());
}

#[tokio::test]
async fn formats_are_told_beside_the_text() {
    let platform = Platform::start([sent(7)]).await;
    let markdown = "😀 **bold**, [link](https://a.test/)\n\n```rust\nlet x;\n```";
    send(&platform, &parts(markdown, &[])[0], None).await.unwrap();
    let body = platform.seen()[0].json();
    assert_eq!(body["text"], "😀 bold, link\n\nlet x;");
    assert_eq!(
        body["entities"],
        json!([
            {"type": "bold", "offset": 3, "length": 4},
            {"type": "text_link", "offset": 9, "length": 4, "url": "https://a.test/"},
            {"type": "pre", "offset": 15, "length": 6, "language": "rust"},
        ])
    );
    assert!(body.get("parse_mode").is_none());
}

#[tokio::test]
async fn formats_that_telegram_does_not_understand_are_left_out_once() {
    let refusal = || refused(400, "Bad Request: can't parse entities: unsupported type");
    let platform = Platform::start([refusal(), sent(7)]).await;
    let part = &parts("a **b**", &[])[0];
    send(&platform, part, None).await.unwrap();
    let seen = platform.seen();
    assert_eq!(seen[0].json()["entities"].as_array().unwrap().len(), 1);
    assert_eq!(seen[1].json()["text"], "a b");
    assert!(seen[1].json().get("entities").is_none());

    let stubborn = Platform::start([refusal(), refusal()]).await;
    let outcome = send(&stubborn, part, None).await;
    assert!(
        matches!(
            outcome,
            Err(SendError::Permanent {
                class: "entities_refused",
                ..
            })
        ),
        "{outcome:?}"
    );
    assert_eq!(stubborn.seen().len(), 2);
}

#[tokio::test]
async fn later_parts_do_not_quote_and_the_general_topic_is_left_out() {
    let platform = Platform::start([sent(7)]).await;
    let account = accounts::telegram(&format!("{}base/", platform.url), None);
    let address = ReplyAddress {
        thread_id: Some("1".to_owned()),
        ..address()
    };
    let part = Part {
        quotes: false,
        ..parts("hi", &[])[0].clone()
    };
    account
        .send(&client(), &address, &part, &meta(None))
        .await
        .unwrap();
    let seen = &platform.seen()[0];
    assert_eq!(seen.path, format!("/base/bot{TOKEN}/sendMessage"));
    assert_eq!(seen.json(), json!({"chat_id": "-1001", "text": "hi"}));
}

#[tokio::test]
async fn a_picture_is_uploaded_as_a_form() {
    let platform = Platform::start([sent(8)]).await;
    let part = &parts("", &[picture()])[0];
    assert_eq!(part.upload().map(|file| file.key.as_str()), Some("k"));
    send(&platform, part, Some(b"\x89PNG!")).await.unwrap();
    let seen = &platform.seen()[0];
    assert!(seen.path.ends_with("/sendPhoto"), "{}", seen.path);
    assert!(seen.header("content-type").starts_with("multipart/form-data"));
    let text = seen.text();
    for expected in [
        "name=\"chat_id\"\r\n\r\n-1001\r\n",
        "name=\"message_thread_id\"\r\n\r\n4\r\n",
        "name=\"reply_parameters\"\r\n\r\n{\"message_id\":101,\"allow_sending_without_reply\":true}\r\n",
        "name=\"photo\"; filename=\"a \\\"b\\\".png\"\r\nContent-Type: image/png\r\n\r\n\u{fffd}PNG!\r\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

#[tokio::test]
async fn a_picture_that_telegram_cannot_show_goes_as_a_document() {
    for refusal in [
        "Bad Request: PHOTO_INVALID_DIMENSIONS",
        "Bad Request: IMAGE_PROCESS_FAILED",
    ] {
        let platform = Platform::start([refused(400, refusal), sent(9)]).await;
        let outcome = send(&platform, &parts("", &[picture()])[0], Some(b"PNG")).await;
        assert_eq!(
            outcome,
            Ok(Sent {
                platform_message_id: "9".to_owned()
            })
        );
        let seen = platform.seen();
        assert!(seen[1].path.ends_with("/sendDocument") && seen[1].text().contains("name=\"document\""));
    }
}

#[tokio::test]
async fn a_document_is_not_tried_again_on_the_spot() {
    let refusal = || refused(400, "Bad Request: IMAGE_PROCESS_FAILED");
    let platform = Platform::start([refusal(), refusal()]).await;
    let outcome = send(&platform, &parts("", &[picture()])[0], Some(b"PNG")).await;
    assert!(
        matches!(
            outcome,
            Err(SendError::Permanent {
                class: "photo_refused",
                ..
            })
        ),
        "{outcome:?}"
    );
    assert_eq!(platform.seen().len(), 2);
}

#[tokio::test]
async fn a_group_that_moved_is_followed_once() {
    let moved = || {
        let body = json!({"ok": false, "error_code": 400, "parameters": {"migrate_to_chat_id": -1002},
            "description": "Bad Request: group chat was upgraded to a supergroup chat"});
        answer(400, body.to_string())
    };
    let platform = Platform::start([moved(), sent(1)]).await;
    send(&platform, &parts("hi", &[])[0], None).await.unwrap();
    assert_eq!(
        platform.seen()[1].json(),
        json!({"chat_id": "-1002", "text": "hi"})
    );
    let circle = Platform::start([moved(), moved(), moved()]).await;
    let outcome = send(&circle, &parts("hi", &[])[0], None).await;
    assert!(
        matches!(
            outcome,
            Err(SendError::Permanent {
                class: "chat_migrated",
                ..
            })
        ),
        "{outcome:?}"
    );
    assert_eq!(circle.seen().len(), 2);
}

#[tokio::test]
async fn a_pause_is_read_from_the_body_or_else_the_header() {
    let body = json!({"ok": false, "error_code": 429, "description": "Too Many Requests: retry after 37",
        "parameters": {"retry_after": 37}});
    for (reply, expected) in [
        (answer(429, body.to_string()).with("retry-after", "5"), 37),
        (answer(429, "{\"ok\":false}").with("retry-after", "5"), 5),
        (answer(429, "<html>").with("retry-after", "6"), 6),
        (answer(429, ""), 1),
    ] {
        let platform = Platform::start([reply]).await;
        match send(&platform, &parts("hi", &[])[0], None).await {
            Err(SendError::RateLimited { retry_after, .. }) => assert_eq!(retry_after.as_secs(), expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_may_be_tried_again() {
    let huge = json!({"ok": true, "result": {"message_id": 1, "text": "x".repeat(64 * 1024)}}).to_string();
    for (reply, expected) in [
        (answer(502, "<html>bad gateway</html>"), "server_error"),
        (answer(200, "<html>hotel sign-in</html>"), "bad_answer"),
        (answer(200, "{\"ok\":true}"), "bad_answer"),
        (answer(200, huge), "bad_answer"),
    ] {
        let platform = Platform::start([reply]).await;
        let outcome = send(&platform, &parts("hi", &[])[0], None).await;
        assert!(
            matches!(outcome, Err(SendError::Transient { class, .. }) if class == expected),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let account = accounts::telegram("http://127.0.0.1:1/", None);
    let part = &parts("hi", &[])[0];
    let unreachable = account
        .send(&client(), &address(), part, &meta(None))
        .await
        .unwrap_err();
    let strict = outbound::Client::new(outbound::Policy::public_only(), None).unwrap();
    let denied = account
        .send(&strict, &address(), part, &meta(None))
        .await
        .unwrap_err();
    let upload = account
        .send(
            &client(),
            &address(),
            &parts("", &[picture()])[0],
            &meta(Some(b"x")),
        )
        .await;
    let shown = format!("{unreachable} {unreachable:?} {denied} {denied:?} {upload:?}");
    assert!(shown.contains("connect") && shown.contains("denied"), "{shown}");
    assert!(!shown.contains("ABC-DEF") && !shown.contains("/bot"), "{shown}");
}

#[tokio::test]
async fn an_upload_without_bytes_is_refused_before_any_call() {
    let platform = Platform::start([]).await;
    let outcome = send(&platform, &parts("", &[picture()])[0], None).await;
    assert!(
        matches!(
            outcome,
            Err(SendError::Permanent {
                class: "file_missing",
                ..
            })
        ),
        "{outcome:?}"
    );
    assert_eq!(platform.seen().len(), 0);
}
