//! Telegram, by `frankenstein`.

use channels::{OutgoingFile, OutgoingReply, ReplyKind, SendMeta};
use frankenstein::methods::{
    SendAudioParams, SendChatActionParams, SendDocumentParams, SendMessageParams, SendPhotoParams,
    SendVideoParams,
};
use frankenstein::response::{ErrorResponse, MethodResponse};
use frankenstein::types::{File, Message, MessageEntityType, ReplyMarkup, User};
use frankenstein::updates::{Update, UpdateContent};
use proto_schemas::content::{Button, ReplyAddress, StoredFile};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testkit::client::client as plain_client;
use testkit::telegram::{
    Document, FakeTelegram, command_update, document_update, in_album, photo_update, press_update,
    text_update,
};

use super::{read, read_whole};
use crate::accounts::{self, TOKEN};
use crate::platform::{Platform, Seen, answer, client};

const CHAT: i64 = 250_918_540;

#[test]
fn the_fakes_updates_are_telegrams() {
    let document = Document {
        file_id: "BQAC-1",
        file_name: "r.pdf",
        mime_type: "application/pdf",
        file_size: 7,
    };
    for update in [
        text_update(1, CHAT, 101, "hi"),
        text_update(2, -1001, 102, "hi"),
        command_update(3, CHAT, 103, "/start@demo_bot hello 😀"),
        photo_update(4, CHAT, 104, "AgAC-big", "look"),
        in_album(photo_update(5, CHAT, 105, "AgAC-big", ""), "album"),
        document_update(6, CHAT, 106, &document, "read"),
    ] {
        let read: Update = read_whole(&update, &[]);
        assert!(matches!(read.content, UpdateContent::Message(_)), "{update:#}");
    }
    let pressed: Update = read(&press_update(7, CHAT, 107, "4382", "ok:42"));
    let UpdateContent::CallbackQuery(query) = pressed.content else {
        panic!("{:?}", pressed.content)
    };
    assert_eq!(
        (query.id.as_str(), query.data.as_deref()),
        ("4382", Some("ok:42"))
    );
}

#[test]
fn the_recorded_updates_are_telegrams() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/telegram");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let update = std::fs::read(file.unwrap().path()).unwrap();
        let _: Update = read(&serde_json::from_slice(&update).unwrap());
        count += 1;
    }
    assert!(count > 10, "{count}");
}

async fn ask(telegram: &FakeTelegram, method: &str, parameters: &Value) -> Value {
    let url = format!("{}/bot{TOKEN}/{method}", telegram.api_base());
    let request = plain_client()
        .post(url)
        .header("content-type", "application/json");
    let answer = request.body(parameters.to_string()).send().await.unwrap();
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn the_fakes_answers_are_telegrams() {
    let telegram = FakeTelegram::start(TOKEN).await;
    telegram.add_file("BQAC-1", "hello");
    let sent = ask(&telegram, "sendMessage", &json!({"chat_id": CHAT, "text": "hi"})).await;
    let sent: MethodResponse<Message> = read_whole(&sent, &[]);
    assert_eq!(sent.result.text.as_deref(), Some("hi"));
    let _: MethodResponse<User> = read_whole(&ask(&telegram, "getMe", &json!({})).await, &[]);
    let file = ask(&telegram, "getFile", &json!({"file_id": "BQAC-1"})).await;
    let _: MethodResponse<File> = read_whole(&file, &[]);
    let action = json!({"chat_id": CHAT, "action": "typing"});
    let shown: MethodResponse<bool> = read_whole(&ask(&telegram, "sendChatAction", &action).await, &[]);
    assert!(shown.result);
    let refused = ask(&telegram, "sendMessage", &json!({"chat_id": CHAT, "text": " "})).await;
    let refused: ErrorResponse = read_whole(&refused, &[]);
    assert_eq!(refused.error_code, 400);
}

fn stored(name: &str, mime_type: &str) -> OutgoingFile {
    OutgoingFile {
        name: name.to_owned(),
        mime_type: Some(mime_type.to_owned()),
        url: None,
        stored: Some(StoredFile {
            key: "k".to_owned(),
            name: name.to_owned(),
            mime_type: mime_type.to_owned(),
            bytes: 5,
        }),
    }
}

/// What is sent for a reply to a message in a topic.
async fn calls(text: &str, files: &[OutgoingFile]) -> Vec<Seen> {
    let done =
        json!({"ok": true, "result": {"message_id": 1, "date": 1, "chat": {"id": 1, "type": "private"}}});
    let shown = answer(200, json!({"ok": true, "result": true}).to_string());
    let platform = Platform::start([vec![shown], vec![answer(200, done.to_string()); 4]].concat()).await;
    let account = accounts::telegram(&platform.url, None);
    let button = |label: &str, url: Option<&str>| Button {
        label: label.to_owned(),
        value: None,
        url: url.map(str::to_owned),
    };
    let buttons = [button("Yes", None), button("Docs", Some("https://a.test/"))];
    let (thread_id, message_id) = (Some("4".to_owned()), Some("101".to_owned()));
    let address = ReplyAddress {
        chat_id: "-1001".to_owned(),
        thread_id,
        message_id,
        interaction: None,
    };
    account.show_typing(&client(), &address, 0).await.unwrap();
    let parts = account.render(&OutgoingReply {
        text,
        files,
        buttons: &buttons,
    });
    for part in parts {
        let meta = SendMeta {
            part_id: "p",
            kind: ReplyKind::Reply,
            now_secs: 0,
            content: part.upload().map(|_| "hello".into()),
        };
        account.send(&client(), &address, &part, &meta).await.unwrap();
    }
    platform.seen()
}

#[tokio::test]
async fn the_texts_that_we_send_are_telegrams() {
    let text = "# Title\n**b** *i* ~~s~~ `c` [a](https://a.test/)\n> quoted\n\n```rust\nfn a() {}\n```";
    let calls = calls(text, &[]).await;
    let [typing, message] = calls.as_slice() else {
        panic!("{}", calls.len())
    };
    let _: SendChatActionParams = read_whole(&typing.json(), &[]);
    let message: SendMessageParams = read_whole(&message.json(), &[]);
    let kinds: Vec<MessageEntityType> = message
        .entities
        .unwrap()
        .iter()
        .map(|entity| entity.type_field)
        .collect();
    for kind in [
        MessageEntityType::Bold,
        MessageEntityType::Italic,
        MessageEntityType::Strikethrough,
        MessageEntityType::Code,
        MessageEntityType::TextLink,
        MessageEntityType::Blockquote,
        MessageEntityType::Pre,
    ] {
        assert!(kinds.contains(&kind), "{kind:?} is not in {kinds:?}");
    }
    assert_eq!(message.message_thread_id, Some(4));
    assert_eq!(message.reply_parameters.unwrap().message_id, Some(101));
    let Some(ReplyMarkup::InlineKeyboardMarkup(keyboard)) = message.reply_markup else {
        panic!("{:?}", message.reply_markup)
    };
    let keys: Vec<_> = keyboard.inline_keyboard.iter().flatten().collect();
    assert_eq!(keys[0].callback_data.as_deref(), Some("Yes"));
    assert_eq!(keys[1].url.as_deref(), Some("https://a.test/"));
}

#[tokio::test]
async fn the_files_that_we_send_are_telegrams() {
    let files = [
        stored("a.png", "image/png"),
        stored("a.mp3", "audio/mpeg"),
        stored("a.mp4", "video/mp4"),
        stored("a.pdf", "application/pdf"),
    ];
    let calls = calls("", &files).await;
    let [_, photo, audio, video, document] = calls.as_slice() else {
        panic!("{}", calls.len())
    };
    is_sent_by::<SendPhotoParams>(photo, "/sendPhoto");
    is_sent_by::<SendAudioParams>(audio, "/sendAudio");
    is_sent_by::<SendVideoParams>(video, "/sendVideo");
    is_sent_by::<SendDocumentParams>(document, "/sendDocument");
}

fn is_sent_by<T: Serialize + DeserializeOwned>(call: &Seen, method: &str) {
    assert!(call.path.ends_with(method), "{}", call.path);
    let _: T = read_whole(&fields(call), &[]);
}

/// The fields of a form, structures as what they are; a file is the text that it consists of.
fn fields(call: &Seen) -> Value {
    let body = call.text();
    let boundary = call
        .header("content-type")
        .split_once("boundary=")
        .unwrap()
        .1
        .trim_matches('"')
        .to_owned();
    let mut fields = json!({});
    for part in body
        .split(&format!("--{boundary}"))
        .filter(|part| part.contains("name=\""))
    {
        let (head, content) = part.trim_end().split_once("\r\n\r\n").unwrap();
        let name = head.split_once(" name=\"").unwrap().1.split('"').next().unwrap();
        fields[name] = serde_json::from_str(content).unwrap_or_else(|_| json!(content));
    }
    fields
}
