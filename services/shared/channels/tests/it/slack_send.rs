//! Slack: what we send.

use channels::{OutgoingFile, OutgoingReply, Part, PartContent, ReplyKind, SendError, SendMeta, Sent};
use proto_schemas::content::{Button, ReplyAddress};
use serde_json::json;

use crate::accounts::{self, SLACK_TOKEN};
use crate::platform::{Answer, Platform, answer, client};
use crate::sending::{class, outgoing};

fn address() -> ReplyAddress {
    let text = |text: &str| Some(text.to_owned());
    ReplyAddress {
        chat_id: "C00FAKECHAN1".to_owned(),
        thread_id: text("1766458026.240809"),
        message_id: text("1766458031.859009"),
        interaction: None,
    }
}

fn meta(content: Option<&'static [u8]>) -> SendMeta<'static> {
    SendMeta {
        part_id: "turn_a_m1_0",
        kind: ReplyKind::Reply,
        now_secs: 0,
        content: content.map(Into::into),
    }
}

fn parts(text: &str, files: &[OutgoingFile]) -> Vec<Part> {
    accounts::slack("https://slack.test/api").render(&OutgoingReply {
        text,
        files,
        buttons: &[],
    })
}

fn with_buttons(text: &str, files: &[OutgoingFile]) -> Vec<Part> {
    let button = |label: &str, url: Option<&str>| Button {
        label: label.to_owned(),
        value: None,
        url: url.map(str::to_owned),
    };
    accounts::slack("https://slack.test/api").render(&OutgoingReply {
        text,
        files,
        buttons: &[button("A & B", None), button("Docs", Some("https://a.test/"))],
    })
}

#[tokio::test]
async fn buttons_are_blocks_under_the_text() {
    let platform = Platform::start([posted()]).await;
    send(&platform, &with_buttons("*Proceed?*", &[])[0], None)
        .await
        .unwrap();
    let body = platform.seen()[0].json();
    assert_eq!(body["text"], "_Proceed?_");
    let label = |text: &str| json!({"type": "plain_text", "text": text});
    let blocks = json!([
        {"type": "section", "text": {"type": "mrkdwn", "text": "_Proceed?_"}},
        {"type": "actions", "elements": [
            {"type": "button", "action_id": "say_0", "text": label("A & B"), "value": "A & B"},
            {"type": "button", "action_id": "link_1", "text": label("Docs"), "url": "https://a.test/"},
        ]},
    ]);
    assert_eq!(body["blocks"], blocks);
}

#[test]
fn buttons_have_a_message_of_their_own_where_the_last_part_has_no_room() {
    let of_part = |part: &Part| part.buttons.len();
    let long = with_buttons(&"x".repeat(3001), &[]);
    assert_eq!(long.iter().map(of_part).collect::<Vec<_>>(), [0, 2]);
    let PartContent::Message { text, .. } = &long[1].content else {
        panic!("{long:?}")
    };
    assert_eq!(text, "A &amp; B / Docs");
    let file = with_buttons("Here.", &[report()]);
    assert_eq!(file.iter().map(of_part).collect::<Vec<_>>(), [0, 0, 2]);
}

fn report() -> OutgoingFile {
    outgoing("a & b.pdf", "application/pdf")
}

fn posted() -> Answer {
    answer(200, include_str!("../fixtures/slack/out_postMessage_ok.json"))
}

fn refused(code: &str) -> Answer {
    answer(200, json!({"ok": false, "error": code}).to_string())
}

async fn send(platform: &Platform, part: &Part, content: Option<&'static [u8]>) -> Result<Sent, SendError> {
    accounts::slack(&format!("{}api", platform.url))
        .send(&client(), &address(), part, &meta(content))
        .await
}

async fn say(platform: &Platform) -> Result<Sent, SendError> {
    send(platform, &parts("hi", &[])[0], None).await
}

#[tokio::test]
async fn a_text_goes_to_its_thread_escaped_and_with_an_identity() {
    let platform = Platform::start([posted(), posted()]).await;
    let part = &parts("**bold** <!channel> 1 < 2", &[])[0];
    for _ in 0..2 {
        assert_eq!(class(send(&platform, part, None).await), "sent 1766458040.000100");
    }
    let seen = platform.seen();
    assert_eq!(seen[0].path, "/api/chat.postMessage");
    assert_eq!(seen[0].header("authorization"), format!("Bearer {SLACK_TOKEN}"));
    assert_eq!(seen[0].header("content-type"), "application/json; charset=utf-8");
    let mut body = seen[0].json();
    let id = body.as_object_mut().unwrap().remove("client_msg_id").unwrap();
    assert_eq!(
        id,
        seen[1].json()["client_msg_id"],
        "a retry has the same identity"
    );
    let expected = json!({
        "channel": "C00FAKECHAN1", "thread_ts": "1766458026.240809",
        "text": "*bold* &lt;!channel&gt; 1 &lt; 2",
        "mrkdwn": true, "unfurl_links": false, "unfurl_media": false,
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn outside_of_a_thread_none_is_named() {
    let platform = Platform::start([posted()]).await;
    let address = ReplyAddress {
        thread_id: None,
        ..address()
    };
    let account = accounts::slack(&platform.url);
    let part = &parts("hi", &[])[0];
    account
        .send(&client(), &address, part, &meta(None))
        .await
        .unwrap();
    let seen = &platform.seen()[0];
    assert_eq!(seen.path, "/chat.postMessage");
    assert!(seen.json().get("thread_ts").is_none());
}

#[tokio::test]
async fn a_file_goes_in_three_steps_and_its_bytes_without_the_token() {
    let platform = Platform::start([]).await;
    let upload_url = format!("{}upload/v1/abc", platform.url);
    platform.add([
        answer(
            200,
            json!({"ok": true, "upload_url": upload_url, "file_id": "F1"}).to_string(),
        ),
        answer(200, "OK - 5"),
        answer(
            200,
            json!({"ok": true, "files": [{"id": "F1", "title": "x"}]}).to_string(),
        ),
    ]);
    let part = &parts("", &[report()])[0];
    assert_eq!(part.upload().map(|file| file.key.as_str()), Some("k"));
    assert_eq!(class(send(&platform, part, Some(b"%PDF!")).await), "sent F1");
    let seen = platform.seen();
    assert_eq!(seen[0].path, "/api/files.getUploadURLExternal");
    assert_eq!(seen[0].text(), "filename=a+%26+b.pdf&length=5");
    assert_eq!(seen[1].path, "/upload/v1/abc");
    assert_eq!(seen[1].text(), "%PDF!");
    assert!(!seen[1].headers.contains_key("authorization"));
    assert_eq!(seen[2].path, "/api/files.completeUploadExternal");
    assert_eq!(
        seen[2].json(),
        json!({
            "files": [{"id": "F1", "title": "a & b.pdf"}],
            "channel_id": "C00FAKECHAN1", "thread_ts": "1766458026.240809",
        })
    );
}

#[tokio::test]
async fn an_upload_that_fails_half_way_begins_again_later() {
    for (reply, expected) in [
        (answer(500, ""), "transient server_error"),
        (answer(404, "gone"), "transient upload_failed"),
        (answer(302, ""), "transient upload_failed"),
        (answer(429, "").with("retry-after", "7"), "wait 7"),
        (answer(413, ""), "permanent too_large"),
    ] {
        let platform = Platform::start([]).await;
        let place = json!({"ok": true, "upload_url": platform.url, "file_id": "F1"});
        platform.add([answer(200, place.to_string()), reply]);
        let part = &parts("", &[report()])[0];
        assert_eq!(class(send(&platform, part, Some(b"%PDF!")).await), expected);
        assert_eq!(platform.seen().len(), 2, "what did not arrive is not shared");
    }
}

#[tokio::test]
async fn a_refusal_comes_with_status_200() {
    for (code, expected) in [
        ("token_revoked", "permanent unauthorized"),
        ("not_in_channel", "permanent chat_refused"),
        ("msg_too_long", "permanent message_refused"),
        ("internal_error", "transient server_error"),
        ("ratelimited", "wait 10"),
    ] {
        let platform = Platform::start([refused(code)]).await;
        assert_eq!(class(say(&platform).await), expected, "{code}");
        let upload = Platform::start([refused(code)]).await;
        let part = &parts("", &[report()])[0];
        assert_eq!(
            class(send(&upload, part, Some(b"%PDF!")).await),
            expected,
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_pause_is_read_from_the_header() {
    let limited = || answer(429, json!({"ok": false, "error": "ratelimited"}).to_string());
    for (reply, expected) in [
        (limited().with("retry-after", "30"), "wait 30"),
        (limited(), "wait 10"),
        (answer(429, "<html>").with("retry-after", "6"), "wait 6"),
        (refused("rate_limited").with("retry-after", "4"), "wait 4"),
        (limited().with("retry-after", "86400"), "wait 3600"),
    ] {
        let platform = Platform::start([reply]).await;
        assert_eq!(class(say(&platform).await), expected);
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_may_be_tried_again() {
    let huge = json!({"ok": true, "ts": "1.2", "message": "x".repeat(4 << 20)}).to_string();
    for (reply, expected) in [
        (answer(200, huge), "transient bad_answer"),
        (answer(502, "<html>bad gateway</html>"), "transient server_error"),
        (answer(503, "{\"ok\":false}"), "transient server_error"),
        (answer(200, "<html>hotel sign-in</html>"), "transient bad_answer"),
        (answer(200, "{\"ok\":true}"), "transient bad_answer"),
        (answer(404, "no such page"), "permanent refused"),
    ] {
        let platform = Platform::start([reply]).await;
        assert_eq!(class(say(&platform).await), expected);
    }
}

#[tokio::test]
async fn the_many_words_of_an_answer_do_no_harm() {
    let blocks = "x".repeat(1 << 20);
    let long = json!({"ok": true, "ts": "1.2", "message": {"blocks": blocks}}).to_string();
    let platform = Platform::start([answer(200, long)]).await;
    assert_eq!(class(say(&platform).await), "sent 1.2");
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let account = accounts::slack("http://127.0.0.1:1/api");
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
    let shown = format!("{unreachable} {unreachable:?} {denied} {denied:?}");
    assert!(shown.contains("connect") && shown.contains("denied"), "{shown}");
    assert!(!shown.contains("xoxb") && !shown.contains("/api"), "{shown}");
}

#[tokio::test]
async fn an_upload_without_bytes_is_refused_before_any_call() {
    let platform = Platform::start([]).await;
    let part = &parts("", &[report()])[0];
    assert_eq!(class(send(&platform, part, None).await), "permanent file_missing");
    assert_eq!(platform.seen().len(), 0);
}

#[tokio::test]
async fn who_says_nothing_takes_the_status_of_the_thread_back() {
    let platform = Platform::start([answer(200, r#"{"ok":true}"#)]).await;
    let account = accounts::slack(&format!("{}api", platform.url));
    assert_eq!(account.say_nothing(&client(), &address(), 0).await, Ok(()));
    let seen = &platform.seen()[0];
    assert_eq!(seen.path, "/api/assistant.threads.setStatus");
    let expected = json!({"channel_id": "C00FAKECHAN1", "thread_ts": "1766458026.240809", "status": ""});
    assert_eq!(seen.json(), expected);
}

#[tokio::test]
async fn a_status_that_cannot_be_taken_back_harms_nothing() {
    for reply in [
        refused("missing_scope"),
        answer(429, "").with("retry-after", "7"),
        answer(502, ""),
    ] {
        let platform = Platform::start([reply]).await;
        let account = accounts::slack(&platform.url);
        assert_eq!(account.say_nothing(&client(), &address(), 0).await, Ok(()));
        assert_eq!(platform.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_status_that_was_never_shown_is_not_taken_back() {
    let platform = Platform::start([]).await;
    let outside = ReplyAddress {
        thread_id: None,
        ..address()
    };
    for (account, address) in [
        (accounts::slack(&platform.url), outside),
        (accounts::slack_without_typing(&platform.url), address()),
    ] {
        assert_eq!(account.say_nothing(&client(), &address, 0).await, Ok(()));
    }
    assert_eq!(platform.seen().len(), 0);
}
