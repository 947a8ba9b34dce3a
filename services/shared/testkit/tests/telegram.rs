//! The fake Bot API.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

use std::time::Duration;

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use testkit::backend::FakeBackend;
use testkit::client::client;
use testkit::telegram::{
    FakeTelegram, MAX_CAPTION, MAX_DOCUMENT_BYTES, MAX_DOWNLOAD_BYTES, MAX_PHOTO_BYTES, MAX_TEXT,
    push_update, text_update,
};

const TOKEN: &str = "123456:ABC";
const CHAT: i64 = 250_918_540;

fn url(telegram: &FakeTelegram, method: &str) -> String {
    format!("{}/bot{TOKEN}/{method}", telegram.api_base())
}

async fn call(telegram: &FakeTelegram, method: &str, parameters: &Value) -> (u16, Value) {
    let request = client()
        .post(url(telegram, method))
        .header("content-type", "application/json");
    let answer = request.body(parameters.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    if status != 200 {
        assert_eq!(
            (&body["ok"], &body["error_code"]),
            (&json!(false), &json!(status))
        );
    }
    (status, body)
}

async fn send_text(telegram: &FakeTelegram, text: &str) -> (u16, Value) {
    call(telegram, "sendMessage", &json!({ "chat_id": CHAT, "text": text })).await
}

async fn upload(
    telegram: &FakeTelegram,
    method: &str,
    part: &str,
    bytes: Vec<u8>,
    caption: &str,
) -> (u16, String) {
    let file = Part::bytes(bytes)
        .file_name("report.pdf")
        .mime_str("application/pdf")
        .unwrap();
    let form = Form::new()
        .text("chat_id", CHAT.to_string())
        .text("caption", caption.to_owned());
    let form = form
        .text("reply_parameters", "{\"message_id\":101}")
        .part(part.to_owned(), file);
    let answer = client()
        .post(url(telegram, method))
        .multipart(form)
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    (
        status,
        body["description"].as_str().unwrap_or_default().to_owned(),
    )
}

#[tokio::test]
async fn texts_are_recorded_in_order_with_topic_and_reply() {
    let telegram = FakeTelegram::start(TOKEN).await;
    let (_, first) = send_text(&telegram, "one").await;
    let (_, second) = call(
        &telegram,
        "SENDMESSAGE",
        &json!({
            "chat_id": "-1001", "text": "two", "message_thread_id": 4,
            "reply_parameters": { "message_id": 101, "allow_sending_without_reply": true },
        }),
    )
    .await;
    assert_eq!(first["result"]["chat"], json!({ "id": CHAT, "type": "private" }));
    assert_eq!(second["result"]["chat"]["type"], "supergroup");
    let sent = telegram.wait_for_sent(2).await;
    assert_eq!((sent[0].text.as_str(), sent[1].text.as_str()), ("one", "two"));
    assert_eq!(
        (sent[1].thread_id, sent[1].reply_to, sent[1].chat_id),
        (Some(4), Some(101), -1001)
    );
    assert_eq!(second["result"]["message_id"], sent[1].message_id);
    assert_eq!(telegram.sent_to(CHAT).len(), 1);
    assert_eq!(telegram.calls("sendMessage"), 2);
}

#[tokio::test]
async fn another_token_is_unauthorized_and_an_unknown_method_not_found() {
    let telegram = FakeTelegram::start("999:XYZ").await;
    let (status, body) = send_text(&telegram, "x").await;
    assert_eq!((status, &body["description"]), (401, &json!("Unauthorized")));
    assert!(telegram.sent().is_empty());
    let telegram = FakeTelegram::start(TOKEN).await;
    assert_eq!(call(&telegram, "sendPigeon", &json!({})).await.0, 404);
}

#[tokio::test]
async fn texts_that_are_empty_or_too_long_are_refused() {
    let telegram = FakeTelegram::start(TOKEN).await;
    // Two UTF-16 code units each.
    let longest = "😀".repeat(MAX_TEXT / 2);
    assert_eq!(send_text(&telegram, &longest).await.0, 200);
    let (status, body) = send_text(&telegram, &format!("{longest}.")).await;
    assert_eq!(
        (status, &body["description"]),
        (400, &json!("Bad Request: message is too long"))
    );
    let (status, body) = send_text(&telegram, " \n").await;
    assert_eq!(
        (status, &body["description"]),
        (400, &json!("Bad Request: message text is empty"))
    );
}

#[tokio::test]
async fn parameters_that_fail_a_real_send_fail_here() {
    let telegram = FakeTelegram::start(TOKEN).await;
    for (extra, value, description) in [
        ("chat_id", json!("nobody"), "Bad Request: chat not found"),
        (
            "message_thread_id",
            json!(1),
            "Bad Request: message thread not found",
        ),
        (
            "parse_mode",
            json!("HTML"),
            "Bad Request: unsupported parse_mode (the fake reads plain text)",
        ),
    ] {
        let mut parameters = json!({ "chat_id": CHAT, "text": "x" });
        parameters[extra] = value;
        let (status, body) = call(&telegram, "sendMessage", &parameters).await;
        assert_eq!((status, &body["description"]), (400, &json!(description)));
    }
}

#[tokio::test]
async fn files_are_recorded_with_name_type_content_and_caption() {
    let telegram = FakeTelegram::start(TOKEN).await;
    assert_eq!(
        upload(&telegram, "sendDocument", "document", b"%PDF".to_vec(), "see")
            .await
            .0,
        200
    );
    assert_eq!(
        upload(&telegram, "sendPhoto", "photo", b"jpg".to_vec(), "")
            .await
            .0,
        200
    );
    let sent = telegram.sent();
    let file = sent[0].file.as_ref().unwrap();
    assert_eq!(
        (file.name.as_str(), &file.bytes[..]),
        ("report.pdf", &b"%PDF"[..])
    );
    assert_eq!(file.content_type.as_deref(), Some("application/pdf"));
    assert_eq!((sent[0].text.as_str(), sent[0].reply_to), ("see", Some(101)));
    assert_eq!(
        (sent[0].method.as_str(), sent[1].method.as_str()),
        ("sendDocument", "sendPhoto")
    );
}

#[tokio::test]
async fn files_and_captions_beyond_their_limits_are_refused() {
    let telegram = FakeTelegram::start(TOKEN).await;
    let long = "x".repeat(MAX_CAPTION + 1);
    let too_long = (400, "Bad Request: message caption is too long".to_owned());
    assert_eq!(
        upload(&telegram, "sendPhoto", "photo", vec![0], &long).await,
        too_long
    );
    assert_eq!(
        upload(&telegram, "sendPhoto", "photo", vec![0], &long[1..])
            .await
            .0,
        200
    );
    let too_big = (400, "Bad Request: file is too big".to_owned());
    assert_eq!(
        upload(&telegram, "sendPhoto", "photo", vec![0; MAX_PHOTO_BYTES + 1], "").await,
        too_big
    );
    let photo_as_document = vec![0; MAX_PHOTO_BYTES + 1];
    assert_eq!(
        upload(&telegram, "sendDocument", "document", photo_as_document, "")
            .await
            .0,
        200
    );
    let too_large = (413, "Request Entity Too Large".to_owned());
    let document = vec![0; MAX_DOCUMENT_BYTES + 1];
    assert_eq!(
        upload(&telegram, "sendDocument", "document", document, "").await,
        too_large
    );
    assert_eq!(
        upload(&telegram, "sendPhoto", "document", vec![0], "").await.0,
        400
    );
}

#[tokio::test]
async fn registered_files_are_downloaded_through_get_file() {
    let telegram = FakeTelegram::start(TOKEN).await;
    telegram.add_file("BQAC-1", "content");
    let (_, found) = call(&telegram, "getFile", &json!({ "file_id": "BQAC-1" })).await;
    assert_eq!(found["result"]["file_size"], 7);
    let path = found["result"]["file_path"].as_str().unwrap();
    let file_url = format!("{}/file/bot{TOKEN}/{path}", telegram.api_base());
    assert_eq!(
        client()
            .get(&file_url)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "content"
    );
    telegram.fail_next("file", 500, "Internal Server Error", None);
    assert_eq!(client().get(&file_url).send().await.unwrap().status(), 500);
    assert_eq!(telegram.calls("file"), 2);
    let query = format!("{}?file_id=BQAC-1", url(&telegram, "getFile"));
    assert_eq!(client().get(query).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn unknown_and_oversize_files_are_not_offered() {
    let telegram = FakeTelegram::start(TOKEN).await;
    telegram.add_file("huge", vec![0; MAX_DOWNLOAD_BYTES + 1]);
    telegram.add_file("large", vec![0; MAX_DOWNLOAD_BYTES]);
    let (status, body) = call(&telegram, "getFile", &json!({ "file_id": "huge" })).await;
    assert_eq!(
        (status, &body["description"]),
        (400, &json!("Bad Request: file is too big"))
    );
    assert_eq!(
        call(&telegram, "getFile", &json!({ "file_id": "large" })).await.0,
        200
    );
    let (status, body) = call(&telegram, "getFile", &json!({ "file_id": "none" })).await;
    assert_eq!(
        (status, &body["description"]),
        (400, &json!("Bad Request: invalid file_id"))
    );
}

#[tokio::test]
async fn entities_that_telegram_would_refuse_are_refused() {
    let telegram = FakeTelegram::start(TOKEN).await;
    let send = async |entity: Value| {
        let parameters = json!({ "chat_id": CHAT, "text": "a😀b", "entities": [entity] });
        let (status, body) = call(&telegram, "sendMessage", &parameters).await;
        (
            status,
            body["description"].as_str().unwrap_or_default().to_owned(),
        )
    };
    for (entity, expected) in [
        (
            json!({ "type": "bold", "offset": 2, "length": 1 }),
            "entity begins in a middle",
        ),
        (
            json!({ "type": "bold", "offset": 0, "length": 2 }),
            "entity beginning at UTF-16 offset 0 ends in",
        ),
        (
            json!({ "type": "bold", "offset": 3, "length": 2 }),
            "entity beginning at UTF-16 offset 3 ends after",
        ),
        (
            json!({ "type": "bold", "offset": 5, "length": 1 }),
            "entity begins after the end",
        ),
        (
            json!({ "type": "bold", "offset": -1, "length": 1 }),
            "receive an entity with incorrect offset",
        ),
        (
            json!({ "type": "bold", "offset": 0, "length": 0 }),
            "receive an entity with incorrect length",
        ),
        (
            json!({ "type": "loud", "offset": 0, "length": 1 }),
            "can't parse entities",
        ),
        (
            json!({ "type": "text_link", "offset": 0, "length": 1 }),
            "can't parse entities",
        ),
    ] {
        let (status, description) = send(entity).await;
        let expected = format!("Bad Request: {expected}");
        assert!(
            status == 400 && description.starts_with(&expected),
            "{status} {description}"
        );
    }
    assert!(telegram.sent().is_empty());
    let whole = json!({ "type": "bold", "offset": 0, "length": 4 });
    assert_eq!(send(whole.clone()).await.0, 200);
    assert_eq!(telegram.sent()[0].entities, [whole]);
}

#[tokio::test]
async fn a_chat_beyond_its_rate_is_told_how_long_to_wait() {
    let telegram = FakeTelegram::start(TOKEN).await;
    telegram.limit_each_chat(2, Duration::from_secs(3600));
    assert_eq!(send_text(&telegram, "1").await.0, 200);
    assert_eq!(send_text(&telegram, "2").await.0, 200);
    let (status, body) = send_text(&telegram, "3").await;
    let seconds = body["parameters"]["retry_after"].as_u64().unwrap();
    assert_eq!((status, (3590..=3600).contains(&seconds)), (429, true), "{body}");
    let another = json!({ "chat_id": 7, "text": "x" });
    assert_eq!(call(&telegram, "sendMessage", &another).await.0, 200);
    telegram.lift_limit();
    assert_eq!(send_text(&telegram, "3").await.0, 200);
}

#[tokio::test]
async fn a_blocked_chat_is_forbidden_until_it_is_unblocked() {
    let telegram = FakeTelegram::start(TOKEN).await;
    telegram.block_chat(CHAT);
    let (status, body) = send_text(&telegram, "x").await;
    assert_eq!(
        (status, &body["description"]),
        (403, &json!("Forbidden: bot was blocked by the user"))
    );
    telegram.unblock_chat(CHAT);
    assert_eq!(send_text(&telegram, "x").await.0, 200);
}

#[tokio::test]
async fn scripted_failures_hit_their_method_in_turn_and_carry_their_parameters() {
    let telegram = FakeTelegram::start(TOKEN).await;
    telegram.fail_next(
        "sendmessage",
        429,
        "Too Many Requests: retry after 37",
        Some(json!({ "retry_after": 37 })),
    );
    telegram.fail_next("sendMessage", 502, "Bad Gateway", None);
    let action = json!({ "chat_id": CHAT, "action": "typing" });
    assert_eq!(call(&telegram, "sendChatAction", &action).await.0, 200);
    let request = client()
        .post(url(&telegram, "sendMessage"))
        .header("content-type", "application/json");
    let limited = request
        .body(json!({ "chat_id": CHAT, "text": "x" }).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"37".parse().unwrap())
    );
    assert_eq!(send_text(&telegram, "x").await.0, 502);
    assert!(telegram.sent().is_empty());
    assert_eq!(send_text(&telegram, "x").await.0, 200);
}

#[tokio::test]
async fn a_lost_answer_leaves_the_message_sent() {
    let telegram = FakeTelegram::start(TOKEN).await;
    telegram.lose_next_answer("sendMessage");
    let request = client()
        .post(url(&telegram, "sendMessage"))
        .header("content-type", "application/json");
    request
        .body(json!({ "chat_id": CHAT, "text": "x" }).to_string())
        .send()
        .await
        .unwrap_err();
    assert_eq!(telegram.sent().len(), 1);
}

#[tokio::test]
async fn a_held_call_is_sent_before_its_caller_knows() {
    let telegram = FakeTelegram::start(TOKEN).await;
    let gate = telegram.hold();
    let looking = async {
        telegram.wait_for_sent(1).await;
        gate.release();
    };
    let ((status, _), ()) = tokio::join!(send_text(&telegram, "x"), looking);
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_webhook_registration_is_remembered() {
    let telegram = FakeTelegram::start(TOKEN).await;
    assert_eq!(telegram.webhook(), None);
    call(
        &telegram,
        "setWebhook",
        &json!({ "url": "https://x/y", "secret_token": "s" }),
    )
    .await;
    assert_eq!(telegram.webhook().unwrap()["secret_token"], "s");
    assert_eq!(
        call(&telegram, "getMe", &json!({})).await.1["result"]["id"],
        123_456
    );
}

#[tokio::test]
async fn an_update_is_pushed_with_the_secret_header() {
    let ingress = FakeBackend::start().await;
    let update = text_update(1, CHAT, 101, "hi");
    push_update(&ingress.url(), "s3cret", &update).await.unwrap();
    let call = ingress.calls().remove(0);
    assert_eq!(call.header("x-telegram-bot-api-secret-token"), Some("s3cret"));
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), update);
}
