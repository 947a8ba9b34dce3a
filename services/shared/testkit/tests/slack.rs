//! The fake Slack.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

use std::time::Duration;

use serde_json::{Value, json};
use testkit::client::client;
use testkit::slack::{FakeSlack, MAX_TEXT, UPLOAD};

const TOKEN: &str = "xoxb-1";
const CHANNEL: &str = "C1";

async fn call_as(slack: &FakeSlack, token: Option<&str>, method: &str, body: &Value) -> (u16, Value) {
    let request = client()
        .post(format!("{}/{method}", slack.api_base()))
        .header("content-type", "application/json; charset=utf-8");
    let request = match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    };
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn call(slack: &FakeSlack, method: &str, body: &Value) -> Value {
    call_as(slack, Some(TOKEN), method, body).await.1
}

async fn say(slack: &FakeSlack, text: &str) -> Value {
    call(
        slack,
        "chat.postMessage",
        &json!({ "channel": CHANNEL, "text": text }),
    )
    .await
}

async fn form(slack: &FakeSlack, method: &str, fields: &'static str) -> Value {
    let request = client()
        .post(format!("{}/{method}", slack.api_base()))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", format!("Bearer {TOKEN}"));
    let answer = request.body(fields).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

async fn bring(url: &str, bytes: &'static str) -> (u16, String) {
    let answer = client().post(url).body(bytes).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn texts_are_recorded_in_order_with_their_thread() {
    let slack = FakeSlack::start(TOKEN).await;
    let first = say(&slack, "one").await;
    let reply = json!({ "channel": "C2", "text": "two", "thread_ts": "1.2" });
    let second = call(&slack, "chat.postMessage", &reply).await;
    let sent = slack.wait_for_sent(2).await;
    assert_eq!((sent[0].text.as_str(), sent[1].text.as_str()), ("one", "two"));
    assert_eq!(
        (&first["ts"], &second["ts"]),
        (&json!(sent[0].id), &json!(sent[1].id))
    );
    assert_eq!(sent[1].thread_ts.as_deref(), Some("1.2"));
    assert_eq!(slack.sent_to("C2").len(), 1);
    assert_eq!(slack.calls("chat.postMessage"), 2);
}

#[tokio::test]
async fn what_fails_a_real_send_fails_here_under_status_200() {
    let slack = FakeSlack::start(TOKEN).await;
    let text = json!({ "channel": CHANNEL, "text": "x" });
    for (token, error) in [(None, "not_authed"), (Some("xoxb-2"), "invalid_auth")] {
        let (status, body) = call_as(&slack, token, "chat.postMessage", &text).await;
        assert_eq!((status, &body["error"]), (200, &json!(error)));
    }
    for (body, error) in [
        (json!({ "text": "x" }), "channel_not_found"),
        (json!({ "channel": CHANNEL, "text": "" }), "no_text"),
        (
            json!({ "channel": CHANNEL, "text": "x".repeat(MAX_TEXT + 1) }),
            "msg_too_long",
        ),
    ] {
        assert_eq!(call(&slack, "chat.postMessage", &body).await["error"], error);
    }
    assert_eq!(
        call(&slack, "chat.postPigeon", &text).await["error"],
        "unknown_method"
    );
    assert!(slack.sent().is_empty());
    assert_eq!(say(&slack, &"x".repeat(MAX_TEXT)).await["ok"], true);
}

#[tokio::test]
async fn a_message_that_comes_again_under_its_identity_is_the_first_one() {
    let slack = FakeSlack::start(TOKEN).await;
    let message = json!({ "channel": CHANNEL, "text": "x", "client_msg_id": "a" });
    slack.lose_next_answer("chat.postMessage");
    let request = client()
        .post(format!("{}/chat.postMessage", slack.api_base()))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {TOKEN}"));
    request.body(message.to_string()).send().await.unwrap_err();
    let again = call(&slack, "chat.postMessage", &message).await;
    let sent = slack.sent();
    assert_eq!((sent.len(), &again["ts"]), (1, &json!(sent[0].id)));
}

#[tokio::test]
async fn what_is_held_is_sent_and_not_answered() {
    let slack = FakeSlack::start(TOKEN).await;
    let gate = slack.hold();
    let answer = say(&slack, "x");
    let release = async {
        slack.wait_for_sent(1).await;
        gate.release();
    };
    let (answer, ()) = tokio::join!(answer, release);
    assert_eq!(answer["ok"], true);
}

#[tokio::test]
async fn scripted_failures_hit_their_method_in_turn() {
    let slack = FakeSlack::start(TOKEN).await;
    slack.fail_next("chat.postMessage", "fatal_error");
    slack.fail_next_with_status("chat.postMessage", 502);
    slack.limit_next("chat.postMessage", 37);
    assert_eq!(call(&slack, "auth.test", &json!({})).await["ok"], true);
    assert_eq!(say(&slack, "x").await["error"], "fatal_error");
    let text = json!({ "channel": CHANNEL, "text": "x" });
    let (status, _) = call_as(&slack, Some(TOKEN), "chat.postMessage", &text).await;
    assert_eq!(status, 502);
    let (status, body) = call_as(&slack, Some(TOKEN), "chat.postMessage", &text).await;
    assert_eq!((status, &body["error"]), (429, &json!("ratelimited")));
    assert!(slack.sent().is_empty());
    assert_eq!(say(&slack, "x").await["ok"], true);
}

#[tokio::test]
async fn a_channel_beyond_its_rate_is_told_how_long_to_wait() {
    let slack = FakeSlack::start(TOKEN).await;
    slack.limit_each_channel(1, Duration::from_secs(3600));
    assert_eq!(say(&slack, "1").await["ok"], true);
    let request = client()
        .post(format!("{}/chat.postMessage", slack.api_base()))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {TOKEN}"));
    let text = json!({ "channel": CHANNEL, "text": "2" }).to_string();
    let limited = request.body(text).send().await.unwrap();
    let seconds: u64 = limited.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(
        limited.status() == 429 && (3590..=3600).contains(&seconds),
        "{seconds}"
    );
    let another = json!({ "channel": "C2", "text": "x" });
    assert_eq!(call(&slack, "chat.postMessage", &another).await["ok"], true);
    slack.lift_limit();
    assert_eq!(say(&slack, "2").await["ok"], true);
}

#[tokio::test]
async fn a_closed_channel_refuses_until_it_is_opened() {
    let slack = FakeSlack::start(TOKEN).await;
    slack.close_channel(CHANNEL, "is_archived");
    assert_eq!(say(&slack, "x").await["error"], "is_archived");
    slack.open_channel(CHANNEL);
    assert_eq!(say(&slack, "x").await["ok"], true);
}

#[tokio::test]
async fn a_file_is_shared_only_when_its_bytes_are_there_and_only_once() {
    let slack = FakeSlack::start(TOKEN).await;
    let empty = form(&slack, "files.getUploadURLExternal", "filename=a.pdf&length=0").await;
    assert_eq!(empty["error"], "missing_argument");
    let place = form(&slack, "files.getUploadURLExternal", "filename=a+b.pdf&length=4").await;
    let share = json!({
        "files": [{ "id": place["file_id"], "title": "x" }], "channel_id": CHANNEL, "thread_ts": "1.2",
    });
    let complete = "files.completeUploadExternal";
    assert_eq!(call(&slack, complete, &share).await["error"], "file_not_found");
    let url = place["upload_url"].as_str().unwrap();
    assert_eq!(bring(url, "%PD").await.0, 400);
    assert_eq!(bring(url, "%PDF").await, (200, "OK - 4".to_owned()));
    assert_eq!(
        call(&slack, complete, &share).await["files"][0]["id"],
        place["file_id"]
    );
    assert_eq!(call(&slack, complete, &share).await["error"], "file_not_found");
    let sent = slack.sent_to(CHANNEL);
    let file = sent[0].file.as_ref().unwrap();
    assert_eq!((file.name.as_str(), &file.bytes[..]), ("a b.pdf", &b"%PDF"[..]));
    assert_eq!((sent.len(), sent[0].thread_ts.as_deref()), (1, Some("1.2")));
    assert_eq!(slack.calls(UPLOAD), 2);
}

#[tokio::test]
async fn a_private_file_needs_the_token() {
    let slack = FakeSlack::start(TOKEN).await;
    slack.add_file("F1", "image/png", "pixels");
    assert_eq!(
        form(&slack, "files.info", "file=F2").await["error"],
        "file_not_found"
    );
    let info = form(&slack, "files.info", "file=F1").await;
    assert_eq!(
        (&info["file"]["size"], &info["file"]["mimetype"]),
        (&json!(6), &json!("image/png"))
    );
    let url = info["file"]["url_private_download"].as_str().unwrap();
    let get = async |token: &str| {
        let request = client()
            .get(url)
            .header("authorization", format!("Bearer {token}"));
        let answer = request.send().await.unwrap();
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        (content_type, answer.text().await.unwrap())
    };
    assert_eq!(get(TOKEN).await, ("image/png".to_owned(), "pixels".to_owned()));
    let (content_type, page) = get("xoxb-2").await;
    assert!(
        content_type.starts_with("text/html") && page.contains("Sign in"),
        "{page}"
    );
    slack.hide_files();
    assert!(get(TOKEN).await.0.starts_with("text/html"));
}
