//! Discord: what we send.

use channels::{OutgoingFile, OutgoingReply, Part, ReplyKind, SendError, SendMeta, Sent};
use proto_schemas::content::{Button, Interaction, ReplyAddress};
use proto_schemas::ids::UnixMillis;
use serde_json::json;
use testkit::discord::APPLICATION;

use crate::accounts::{self, DISCORD_TOKEN};
use crate::platform::{Answer, Platform, Seen, answer, client};
use crate::sending::{class, outgoing};

const CHANNEL: &str = "1457510428359004343";
const QUESTION: &str = "1457536826435961028";
const TOKEN: &str = "aW50ZXJhY3Rpb246MQ";
/// When the interaction began, in seconds.
const BEGAN: u64 = 1_767_225_600;
/// Long enough after that for its answer to have arrived.
const NOW: u64 = BEGAN + 60;

fn in_channel() -> ReplyAddress {
    ReplyAddress {
        chat_id: CHANNEL.to_owned(),
        thread_id: None,
        message_id: Some(QUESTION.to_owned()),
        interaction: None,
    }
}

fn to_command() -> ReplyAddress {
    let interaction = Interaction {
        token: TOKEN.to_owned(),
        expires_at: UnixMillis((BEGAN + 900) * 1000),
    };
    ReplyAddress {
        message_id: None,
        interaction: Some(interaction),
        ..in_channel()
    }
}

fn to_press() -> ReplyAddress {
    ReplyAddress {
        message_id: Some(QUESTION.to_owned()),
        ..to_command()
    }
}

fn parts(text: &str, files: &[OutgoingFile]) -> Vec<Part> {
    let buttons = [Button {
        label: "Yes".to_owned(),
        value: Some("ok:42".to_owned()),
        url: None,
    }];
    accounts::discord("https://discord.test/").render(&OutgoingReply {
        text,
        files,
        buttons: &buttons,
    })
}

fn report() -> OutgoingFile {
    outgoing("report.pdf", "application/pdf")
}

fn created() -> Answer {
    answer(
        200,
        json!({"id": "7", "channel_id": CHANNEL, "unknown": 1}).to_string(),
    )
}

fn refused(status: u16, code: u64) -> Answer {
    answer(status, json!({"code": code, "message": "no"}).to_string())
}

async fn send_at(
    platform: &Platform,
    address: &ReplyAddress,
    part: &Part,
    now_secs: u64,
) -> Result<Sent, SendError> {
    let meta = SendMeta {
        part_id: "turn_a_m1_0",
        kind: ReplyKind::Reply,
        now_secs,
        content: part.upload().map(|_| (&b"%PDF!"[..]).into()),
    };
    accounts::discord(&format!("{}api/v10", platform.url))
        .send(&client(), address, part, &meta)
        .await
}

async fn send(platform: &Platform, address: &ReplyAddress, part: &Part) -> Result<Sent, SendError> {
    send_at(platform, address, part, NOW).await
}

async fn say_nothing(platform: &Platform, address: &ReplyAddress, now_secs: u64) -> Result<(), SendError> {
    accounts::discord(&platform.url)
        .say_nothing(&client(), address, now_secs)
        .await
}

/// Method and path of what was called.
fn calls(platform: &Platform) -> Vec<String> {
    let seen = platform.seen();
    let line = |seen: &Seen| format!("{} {}", seen.method, seen.path.trim_start_matches("/api/v10"));
    seen.iter().map(line).collect()
}

fn original() -> String {
    format!("/webhooks/{APPLICATION}/{TOKEN}/messages/@original")
}

fn follow_up() -> String {
    format!("/webhooks/{APPLICATION}/{TOKEN}")
}

fn channel() -> String {
    format!("/channels/{CHANNEL}/messages")
}

#[tokio::test]
async fn a_message_to_a_channel_quotes_calls_nobody_and_has_a_nonce() {
    let platform = Platform::start([created(), created()]).await;
    let part = &parts("**Done** 1 * 2 <@1>", &[])[0];
    for _ in 0..2 {
        assert_eq!(class(send(&platform, &in_channel(), part).await), "sent 7");
    }
    let seen = platform.seen();
    assert_eq!(calls(&platform)[0], format!("POST {}", channel()));
    assert_eq!(seen[0].header("authorization"), format!("Bot {DISCORD_TOKEN}"));
    assert_eq!(seen[0].header("content-type"), "application/json");
    let agent = seen[0].header("user-agent");
    assert!(
        agent.starts_with("DiscordBot (https://") && agent.ends_with(')'),
        "{agent}"
    );
    assert_eq!(seen[0].headers.get_all("user-agent").iter().count(), 1);
    let mut body = seen[0].json();
    let nonce = body.as_object_mut().unwrap().remove("nonce").unwrap();
    assert_eq!(nonce, seen[1].json()["nonce"], "a retry has the same nonce");
    assert!((1..=25).contains(&nonce.as_str().unwrap().len()));
    let expected = json!({
        "content": "**Done** 1 \\* 2 \\<@1>",
        "allowed_mentions": {"parse": [], "replied_user": false},
        "message_reference": {"message_id": QUESTION, "fail_if_not_exists": false},
        "enforce_nonce": true,
        "components": [{"type": 1, "components": [
            {"type": 2, "style": 1, "label": "Yes", "custom_id": "ok:42"},
        ]}],
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn the_fields_are_those_of_the_reference() {
    let platform = Platform::start([created()]).await;
    send(&platform, &in_channel(), &parts("Done 1 * 2", &[])[0])
        .await
        .unwrap();
    let mut reference: serde_json::Value =
        serde_json::from_str(include_str!("../fixtures/discord/out_create_message.json")).unwrap();
    let sent = platform.seen()[0].json();
    reference["nonce"] = sent["nonce"].clone();
    assert_eq!(sent, reference);
}

#[tokio::test]
async fn only_the_first_part_quotes() {
    let platform = Platform::start([created(), created()]).await;
    let parts = parts(&"x".repeat(2001), &[]);
    for part in &parts {
        send(&platform, &in_channel(), part).await.unwrap();
    }
    let seen = platform.seen();
    assert!(seen[0].json().get("message_reference").is_some());
    assert!(seen[1].json().get("message_reference").is_none());
    assert!(
        seen[0].json().get("components").is_none(),
        "the buttons stand under the last"
    );
    assert!(seen[1].json().get("components").is_some());
}

#[tokio::test]
async fn a_command_is_answered_in_its_place_and_then_below_without_the_token() {
    let platform = Platform::start([created(), created()]).await;
    for part in &parts(&"x".repeat(2001), &[]) {
        assert_eq!(class(send(&platform, &to_command(), part).await), "sent 7");
    }
    let expected = [format!("PATCH {}", original()), format!("POST {}", follow_up())];
    assert_eq!(calls(&platform), expected);
    for seen in platform.seen() {
        assert!(!seen.headers.contains_key("authorization"));
        assert!(seen.header("user-agent").starts_with("DiscordBot ("));
        let body = seen.json();
        assert_eq!(
            body["allowed_mentions"],
            json!({"parse": [], "replied_user": false})
        );
        for member in ["nonce", "enforce_nonce", "message_reference"] {
            assert!(body.get(member).is_none(), "{member}");
        }
    }
}

#[tokio::test]
async fn a_press_is_answered_below_its_message() {
    let platform = Platform::start([created()]).await;
    send(&platform, &to_press(), &parts("hi", &[])[0]).await.unwrap();
    assert_eq!(calls(&platform), [format!("POST {}", follow_up())]);
}

#[tokio::test]
async fn after_fifteen_minutes_the_bot_answers_in_the_channel() {
    let part = &parts("hi", &[])[0];
    for (now, expected) in [(BEGAN + 899, original()), (BEGAN + 900, channel())] {
        let platform = Platform::start([created()]).await;
        send_at(&platform, &to_command(), part, now).await.unwrap();
        assert!(calls(&platform)[0].ends_with(&expected), "{now}");
    }
}

#[tokio::test]
async fn where_the_way_back_is_closed_the_bot_answers_in_the_channel() {
    let part = &parts("hi", &[])[0];
    for (status, code) in [
        (404, 10062),
        (404, 10015),
        (401, 50027),
        (400, 40094),
        (404, 10008),
    ] {
        let platform = Platform::start([refused(status, code), created()]).await;
        assert_eq!(
            class(send(&platform, &to_press(), part).await),
            "sent 7",
            "{code}"
        );
        let expected = [format!("POST {}", follow_up()), format!("POST {}", channel())];
        assert_eq!(calls(&platform), expected);
        let body = platform.seen()[1].json();
        assert_eq!(body["message_reference"]["message_id"], QUESTION);
        assert!(body.get("nonce").is_some());
    }
}

#[tokio::test]
async fn an_interaction_that_is_not_answered_yet_is_waited_for() {
    let part = &parts("hi", &[])[0];
    for code in [10062, 10015, 10008] {
        let platform = Platform::start([refused(404, code)]).await;
        let outcome = send_at(&platform, &to_command(), part, BEGAN + 14).await;
        assert_eq!(class(outcome), "transient not_answered_yet", "{code}");
        let late = Platform::start([refused(404, code), created()]).await;
        let outcome = send_at(&late, &to_command(), part, BEGAN + 15).await;
        assert_eq!(class(outcome), "sent 7", "{code}");
    }
    let platform = Platform::start([refused(401, 50027), created()]).await;
    let outcome = send_at(&platform, &to_command(), part, BEGAN + 14).await;
    assert_eq!(class(outcome), "sent 7", "closed is closed");
}

#[tokio::test]
async fn other_failures_of_the_way_back_are_failures() {
    let part = &parts("hi", &[])[0];
    for (reply, expected) in [
        (refused(400, 50006), "permanent message_refused"),
        (answer(500, ""), "transient server_error"),
        (answer(429, r#"{"retry_after":0.5,"global":false}"#), "wait 0.5"),
    ] {
        let platform = Platform::start([reply]).await;
        assert_eq!(class(send(&platform, &to_command(), part).await), expected);
        assert_eq!(calls(&platform).len(), 1);
    }
}

#[tokio::test]
async fn buttons_that_discord_does_not_take_are_left_out() {
    for address in [to_command(), in_channel()] {
        let platform = Platform::start([refused(400, 50035), created()]).await;
        let part = &parts("Proceed?", &[])[0];
        assert_eq!(class(send(&platform, &address, part).await), "sent 7");
        let calls = calls(&platform);
        assert_eq!(calls[0], calls[1]);
        let [mut first, second] = [0, 1].map(|index| platform.seen()[index].json());
        assert!(first.as_object_mut().unwrap().remove("components").is_some());
        assert_eq!(first, second, "all else stays as it was");
    }
}

#[tokio::test]
async fn a_message_that_discord_does_not_take_without_buttons_either_is_refused() {
    let platform = Platform::start([refused(400, 50035), refused(400, 50035)]).await;
    let part = &parts("hi", &[])[0];
    assert_eq!(
        class(send(&platform, &in_channel(), part).await),
        "permanent message_refused"
    );
    assert_eq!(platform.seen().len(), 2);
    let plain = Platform::start([refused(400, 50035)]).await;
    let without_buttons = &parts(&"x".repeat(2001), &[])[0];
    assert_eq!(
        class(send(&plain, &in_channel(), without_buttons).await),
        "permanent message_refused"
    );
    assert_eq!(plain.seen().len(), 1);
}

#[tokio::test]
async fn a_file_is_sent_with_its_description_before_it() {
    for (address, path) in [(to_command(), original()), (in_channel(), channel())] {
        let platform = Platform::start([created()]).await;
        let part = &parts("", &[report()])[0];
        assert_eq!(part.upload().map(|file| file.key.as_str()), Some("k"));
        assert_eq!(class(send(&platform, &address, part).await), "sent 7");
        let seen = &platform.seen()[0];
        assert!(seen.path.ends_with(&path));
        assert!(
            seen.header("content-type")
                .starts_with("multipart/form-data; boundary=")
        );
        let text = seen.text();
        let (before, file) = text
            .split_once("name=\"files[0]\"; filename=\"report.pdf\"")
            .unwrap();
        assert!(file.contains("Content-Type: application/pdf") && file.contains("\r\n\r\n%PDF!\r\n"));
        assert!(before.contains("name=\"payload_json\"") && before.contains("application/json"));
        let start = before.find('{').unwrap();
        let payload: serde_json::Value =
            serde_json::from_str(&before[start..=before.rfind('}').unwrap()]).unwrap();
        assert_eq!(
            payload["attachments"],
            json!([{"id": "0", "filename": "report.pdf"}])
        );
        assert!(payload.get("content").is_none() && payload.get("components").is_some());
    }
}

#[tokio::test]
async fn a_file_whose_bytes_are_not_there_is_not_sent() {
    let platform = Platform::start([]).await;
    let account = accounts::discord(&platform.url);
    let meta = SendMeta {
        part_id: "p",
        kind: ReplyKind::Reply,
        now_secs: NOW,
        content: None,
    };
    let part = &parts("", &[report()])[0];
    let outcome = account.send(&client(), &in_channel(), part, &meta).await;
    assert_eq!(class(outcome), "permanent file_missing");
    assert_eq!(platform.seen().len(), 0);
}

#[tokio::test]
async fn each_failure_has_its_class() {
    let part = &parts("hi", &[])[0];
    let page = || answer(429, "<!DOCTYPE html>").with("retry-after", "7");
    for (reply, expected) in [
        (refused(401, 0), "permanent unauthorized"),
        (refused(403, 50001), "permanent chat_refused"),
        (refused(403, 40333), "permanent unauthorized"),
        (refused(404, 10003), "permanent chat_refused"),
        (refused(400, 50006), "permanent message_refused"),
        (refused(404, 10015), "permanent refused"),
        (refused(413, 40005), "permanent too_large"),
        (refused(500, 0), "transient server_error"),
        (answer(502, "<html>"), "transient server_error"),
        (answer(200, "<html>"), "transient bad_answer"),
        (
            answer(429, include_str!("../fixtures/discord/err_429.json")),
            "wait 64.57",
        ),
        (page(), "wait 7"),
    ] {
        let platform = Platform::start([reply]).await;
        assert_eq!(class(send(&platform, &in_channel(), part).await), expected);
    }
}

#[tokio::test]
async fn a_discord_that_is_not_there_is_transient_and_its_address_is_not_shown() {
    let account = accounts::discord("http://127.0.0.1:9/api");
    let meta = SendMeta {
        part_id: "p",
        kind: ReplyKind::Reply,
        now_secs: NOW,
        content: None,
    };
    let part = &parts("hi", &[])[0];
    let error = account
        .send(&client(), &to_command(), part, &meta)
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::Transient { .. }), "{error}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(TOKEN) && !shown.contains("://"), "{shown}");
}

#[tokio::test]
async fn who_says_nothing_takes_back_that_the_bot_is_thinking() {
    let platform = Platform::start([answer(204, "")]).await;
    assert_eq!(say_nothing(&platform, &to_command(), NOW).await, Ok(()));
    assert_eq!(calls(&platform), [format!("DELETE {}", original())]);
    let untouched = Platform::start([]).await;
    for (address, now) in [
        (to_press(), NOW),
        (in_channel(), NOW),
        (to_command(), BEGAN + 900),
    ] {
        assert_eq!(say_nothing(&untouched, &address, now).await, Ok(()));
    }
    assert_eq!(untouched.seen().len(), 0);
}

#[tokio::test]
async fn what_is_gone_need_not_be_taken_back_and_what_fails_is_tried_again() {
    for (status, code) in [(404, 10008), (404, 10015), (401, 50027)] {
        let platform = Platform::start([refused(status, code)]).await;
        assert_eq!(say_nothing(&platform, &to_command(), NOW).await, Ok(()), "{code}");
    }
    for (reply, now) in [(refused(404, 10015), BEGAN + 1), (answer(502, ""), NOW)] {
        let platform = Platform::start([reply]).await;
        let outcome = say_nothing(&platform, &to_command(), now).await;
        assert!(matches!(outcome, Err(SendError::Transient { .. })), "{outcome:?}");
    }
}
