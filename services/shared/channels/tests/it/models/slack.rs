//! Slack, by `slack-morphism`.

use channels::{OutgoingFile, OutgoingReply, ReplyKind, SendMeta};
use proto_schemas::content::{Button, ReplyAddress, StoredFile};
use serde_json::{Value, json};
use slack_morphism::api::{
    SlackApiAssistantThreadsSetStatusRequest, SlackApiChatPostMessageRequest,
    SlackApiChatPostMessageResponse, SlackApiFilesCompleteUploadExternalRequest,
    SlackApiFilesCompleteUploadExternalResponse, SlackApiFilesGetUploadUrlExternalRequest,
    SlackApiFilesGetUploadUrlExternalResponse, SlackApiFilesInfoResponse,
};
use slack_morphism::blocks::SlackBlock;
use slack_morphism::events::{
    SlackCommandEvent, SlackEventCallbackBody, SlackInteractionEvent, SlackPushEvent,
};
use testkit::client::client as plain_client;
use testkit::slack::{
    FakeSlack, channel_message, command, direct_message, in_thread, mention_of, verification, with_file,
};
use url::form_urlencoded;

use super::{read, read_whole};
use crate::accounts::{self, SLACK_TOKEN};
use crate::platform::{Platform, Seen, answer, client};

const CHANNEL: &str = "C00FAKECHAN1";
const TS: &str = "1766458026.240809";

/// The event inside a push, of a kind that the model knows.
fn event(push: &Value) -> SlackEventCallbackBody {
    let SlackPushEvent::EventCallback(callback) = read(push) else {
        panic!("{push:#}")
    };
    assert!(
        !matches!(callback.event, SlackEventCallbackBody::Unknown(_)),
        "{push:#}"
    );
    callback.event
}

#[test]
fn the_fakes_pushes_are_slacks() {
    let message = channel_message(CHANNEL, TS, "<@U00FAKEBOT01> hi");
    assert!(matches!(
        event(&mention_of(&message)),
        SlackEventCallbackBody::AppMention(_)
    ));
    for push in [
        in_thread(message.clone(), "1766458020.000100"),
        direct_message("D1", TS, "hi"),
        with_file(direct_message("D1", TS, "hi"), "F1", "a.png", "image/png", 5),
        message,
    ] {
        assert!(
            matches!(event(&push), SlackEventCallbackBody::Message(_)),
            "{push:#}"
        );
    }
    let SlackPushEvent::UrlVerification(asked) = read(&verification("c")) else {
        panic!("it is a question")
    };
    assert_eq!(asked.challenge, "c");
    let fields = command("C1", "/ask", "why", "13345224609.738474920.8088930838d88f008e0");
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name, Value::String(value)));
    let _: SlackCommandEvent = read(&Value::Object(fields.collect()));
}

#[test]
fn the_recorded_pushes_are_slacks() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/slack");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let push: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        match push["type"].as_str() {
            Some("event_callback") => drop(event(&push)),
            Some("block_actions") => drop(read::<SlackInteractionEvent>(&push)),
            Some(_) => drop(read::<SlackPushEvent>(&push)),
            None => drop(read::<SlackApiChatPostMessageResponse>(&push)),
        }
        count += 1;
    }
    assert!(count > 7, "{count}");
}

async fn ask(slack: &FakeSlack, method: &str, parameters: &Value) -> Value {
    let request = plain_client()
        .post(format!("{}/{method}", slack.api_base()))
        .header("content-type", "application/json; charset=utf-8")
        .header("authorization", format!("Bearer {SLACK_TOKEN}"));
    let answer = request.body(parameters.to_string()).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_fakes_answers_are_slacks() {
    let slack = FakeSlack::start(SLACK_TOKEN).await;
    slack.add_file("F1", "image/png", "hello");
    let posted = ask(
        &slack,
        "chat.postMessage",
        &json!({"channel": CHANNEL, "text": "hi"}),
    )
    .await;
    let posted: SlackApiChatPostMessageResponse = read(&posted);
    assert_eq!(posted.message.content.text.as_deref(), Some("hi"));
    let _: SlackApiFilesInfoResponse = read(&ask(&slack, "files.info", &json!({"file": "F1"})).await);
    let place = json!({"filename": "a.txt", "length": "5"});
    let place = ask(&slack, "files.getUploadURLExternal", &place).await;
    let place: SlackApiFilesGetUploadUrlExternalResponse = read(&place);
    let url = place.upload_url.0.to_string();
    assert_eq!(
        plain_client()
            .post(url)
            .body("hello")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let share = json!({"channel_id": CHANNEL, "files": [{"id": place.file_id.0, "title": "a.txt"}]});
    let shared = ask(&slack, "files.completeUploadExternal", &share).await;
    let shared: SlackApiFilesCompleteUploadExternalResponse = read(&shared);
    assert_eq!(shared.files.len(), 1);
}

/// What is sent for a reply to a message in a thread.
async fn calls(reply: &OutgoingReply<'_>, answers: &[Value]) -> Vec<Seen> {
    let platform = Platform::start([]).await;
    let upload_url = format!("{}upload", platform.url);
    platform.add(
        answers
            .iter()
            .map(|body| answer(200, body.to_string().replace("UPLOAD_URL", &upload_url))),
    );
    let account = accounts::slack(&format!("{}api", platform.url));
    let address = ReplyAddress {
        chat_id: CHANNEL.to_owned(),
        thread_id: Some(TS.to_owned()),
        message_id: Some(TS.to_owned()),
        interaction: None,
    };
    account.show_typing(&client(), &address, 0).await.unwrap();
    for part in account.render(reply) {
        let meta = SendMeta {
            part_id: "turn_a_m1_0",
            kind: ReplyKind::Reply,
            now_secs: 0,
            content: part.upload().map(|_| "hello".into()),
        };
        account.send(&client(), &address, &part, &meta).await.unwrap();
    }
    platform.seen()
}

#[tokio::test]
async fn the_messages_that_we_send_are_slacks() {
    let button = |label: &str, url: Option<&str>| Button {
        label: label.to_owned(),
        value: None,
        url: url.map(str::to_owned),
    };
    let reply = OutgoingReply {
        text: "**Proceed?**",
        files: &[],
        buttons: &[button("A & B", None), button("Docs", Some("https://a.test/"))],
    };
    let calls = calls(&reply, &[json!({"ok": true}), json!({"ok": true, "ts": TS})]).await;
    let [typing, message] = calls.as_slice() else {
        panic!("{}", calls.len())
    };
    let _: SlackApiAssistantThreadsSetStatusRequest = read_whole(&typing.json(), &[]);
    // Slack's documents and its own clients have both, the model does not.
    let message: SlackApiChatPostMessageRequest = read_whole(&message.json(), &["client_msg_id", "mrkdwn"]);
    let blocks = message.content.blocks.unwrap();
    assert!(
        matches!(
            blocks.as_slice(),
            [SlackBlock::Section(_), SlackBlock::Actions(_)]
        ),
        "{blocks:?}"
    );
}

#[tokio::test]
async fn the_files_that_we_send_are_slacks() {
    let stored = StoredFile {
        key: "k".to_owned(),
        name: "a.png".to_owned(),
        mime_type: "image/png".to_owned(),
        bytes: 5,
    };
    let file = OutgoingFile {
        name: "a.png".to_owned(),
        mime_type: None,
        url: None,
        stored: Some(stored),
    };
    let reply = OutgoingReply {
        text: "",
        files: &[file],
        buttons: &[],
    };
    let place = json!({"ok": true, "upload_url": "UPLOAD_URL", "file_id": "F1"});
    let done = json!({"ok": true, "files": []});
    let calls = calls(&reply, &[json!({"ok": true}), place, json!({}), done]).await;
    let [_, place, _, share] = calls.as_slice() else {
        panic!("{}", calls.len())
    };
    let fields = form_urlencoded::parse(&place.body).map(|(name, value)| {
        let number = value.parse::<u64>().map(Value::from);
        (name.into_owned(), number.unwrap_or_else(|_| json!(value)))
    });
    let _: SlackApiFilesGetUploadUrlExternalRequest = read_whole(&Value::Object(fields.collect()), &[]);
    let _: SlackApiFilesCompleteUploadExternalRequest = read_whole(&share.json(), &[]);
}
