//! Telegram: what is pushed to us.

use channels::{Account, Addressed, Inbound, InboundFile, InboundMessage, Refusal, Request};
use proptest::prelude::*;
use proto_schemas::content::{FileLocation, FileSource};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::accounts::{self, WEBHOOK_SECRET};

const SECRET_HEADER: &str = "x-telegram-bot-api-secret-token";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../fixtures/telegram/", $name, ".json"))
    };
}

fn account() -> Account {
    accounts::telegram("https://api.telegram.test", Some("demo_bot"))
}

fn receive_with(account: &Account, secret: Option<&[u8]>, body: &[u8]) -> Result<Inbound, Refusal> {
    let mut headers = HeaderMap::new();
    if let Some(secret) = secret {
        headers.insert(
            SECRET_HEADER,
            reqwest::header::HeaderValue::from_bytes(secret).unwrap(),
        );
    }
    account.receive(&Request {
        headers: &headers,
        body,
        now_secs: 0,
    })
}

fn receive(body: &str) -> Result<Inbound, Refusal> {
    receive_with(&account(), Some(WEBHOOK_SECRET.as_bytes()), body.as_bytes())
}

fn message(body: &str) -> InboundMessage {
    match receive(body).unwrap() {
        Inbound::Message(message) => message,
        other @ (Inbound::Reset(_)
        | Inbound::Handshake { .. }
        | Inbound::Trouble { .. }
        | Inbound::Ignored { .. }) => panic!("{other:?}"),
    }
}

fn kind(body: &str) -> &'static str {
    match receive(body).unwrap() {
        Inbound::Ignored { kind } => kind,
        other @ (Inbound::Message(_)
        | Inbound::Reset(_)
        | Inbound::Handshake { .. }
        | Inbound::Trouble { .. }) => panic!("{other:?}"),
    }
}

/// A private message with more members.
fn update(more: Value) -> Value {
    let mut message = json!({"message_id": 7, "date": 1, "chat": {"id": 5, "type": "private"},
        "from": {"id": 5, "is_bot": false, "first_name": "Ada"}});
    message
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!({"update_id": 1, "message": message})
}

fn command(text: &str, length: usize) -> Value {
    update(json!({"text": text, "entities": [{"type": "bot_command", "offset": 0, "length": length}]}))
}

#[test]
fn only_the_very_secret_is_accepted() {
    let body = fixture!("voice").as_bytes();
    assert!(receive_with(&account(), Some(WEBHOOK_SECRET.as_bytes()), body).is_ok());
    let longer = format!("{WEBHOOK_SECRET}x");
    let lower = WEBHOOK_SECRET.to_lowercase();
    for wrong in [
        None,
        Some("".as_bytes()),
        Some(longer.as_bytes()),
        Some(lower.as_bytes()),
        Some(&WEBHOOK_SECRET.as_bytes()[..5]),
        Some(b"\xff\xfe"),
    ] {
        let outcome = receive_with(&account(), wrong, body);
        assert!(
            matches!(outcome, Err(Refusal::Unauthorized(_))),
            "{wrong:?}: {outcome:?}"
        );
    }
}

#[test]
fn recorded_messages_are_understood() {
    // Fixture, chat, thread, message, user, text, group, files as name, type and id.
    let photo = "photo.jpg image/jpeg AgACAgIAAxkBAAIBZ2d-big";
    for (body, expected, files) in [
        (
            fixture!("text_command_private"),
            "250918540 - 101 250918540 group=false /start@demo_bot hello 😀 @demo_bot",
            "",
        ),
        (
            fixture!("photo_group_reply"),
            "-1001293752024 - 9001 250918540 group=true here you go",
            photo,
        ),
        (
            fixture!("document_quote"),
            "-1001293752024 - 9002 250918540 group=true ",
            "report.pdf application/pdf BQACAgIAAxkBAAIB-doc",
        ),
        (
            fixture!("voice"),
            "250918540 - 102 250918540 group=false ",
            "voice.ogg audio/ogg AwACAgIAAxkBAAIB-voice",
        ),
        (
            fixture!("audio"),
            "250918540 - 103 250918540 group=false ",
            "y.mp3 audio/mpeg CQACAgIAAxkBAAIB-audio",
        ),
        (
            fixture!("video_album_item"),
            "250918540 - 104 250918540 group=false two clips",
            "clip.mp4 video/mp4 BAACAgIAAxkBAAIB-video",
        ),
        (
            fixture!("forum_topic"),
            "-1001847508954 4 5 1253681278 group=true blah",
            "",
        ),
    ] {
        let message = message(body);
        let thread = message.thread_id.as_deref().unwrap_or("-");
        let id = message.message_id.as_deref().unwrap();
        let (chat, user) = (&message.chat_id, &message.user.id);
        let shown = format!(
            "{chat} {thread} {id} {user} group={} {}",
            message.is_group, message.text
        );
        assert_eq!(shown, expected);
        assert_eq!(
            message
                .files
                .iter()
                .map(shown_file)
                .collect::<Vec<_>>()
                .join("; "),
            files
        );
        assert_eq!(message.dedup_key, format!("{chat}:{id}"));
    }
}

fn shown_file(file: &InboundFile) -> String {
    match file {
        InboundFile::Source(FileSource {
            name,
            mime_type: Some(mime_type),
            location: FileLocation::Platform { file_id },
            ..
        }) => format!("{name} {mime_type} {file_id}"),
        InboundFile::Source(_) | InboundFile::Inline { .. } => panic!("{file:?}"),
    }
}

#[test]
fn in_a_group_the_bot_is_meant_by_name_answer_or_command() {
    let group = |more: Value| {
        let mut update = update(more);
        update["message"]["chat"] = json!({"id": -100, "type": "supergroup", "title": "Ops"});
        message(&update.to_string()).addressed
    };
    let entity = |kind: &str, length: usize| json!([{"type": kind, "offset": 3, "length": length}]);
    let bot = json!({"id": 9, "is_bot": true, "first_name": "Demo", "username": "Demo_Bot"});
    for meant in [
        json!({"text": "hi @demo_bot!", "entities": entity("mention", 9)}),
        json!({"caption": "hi @DEMO_BOT", "photo": [{"file_id": "1"}], "caption_entities": entity("mention", 9)}),
        json!({"text": "hi you", "entities": [{"type": "text_mention", "offset": 3, "length": 3, "user": bot}]}),
        json!({"text": "no", "reply_to_message": {"message_id": 1, "from": bot}}),
        json!({"text": "/help", "entities": [{"type": "bot_command", "offset": 0, "length": 5}]}),
    ] {
        assert_eq!(group(meant.clone()), Addressed::Surely, "{meant}");
    }
    let ada = json!({"id": 5, "first_name": "Ada"});
    for others in [
        json!({"text": "hello all"}),
        json!({"text": "hi @demo_bots", "entities": entity("mention", 10)}),
        json!({"text": "hi @demo_bot", "entities": entity("hashtag", 9)}),
        json!({"text": "hi /help", "entities": entity("bot_command", 5)}),
        json!({"text": "no", "reply_to_message": {"message_id": 1, "from": ada}}),
        json!({"text": "in a topic", "reply_to_message": {"message_id": 1, "from": bot, "forum_topic_created": {"name": "t"}}}),
        json!({"text": "hi", "entities": [{"type": "mention", "offset": 99, "length": u64::MAX}]}),
    ] {
        assert_eq!(group(others.clone()), Addressed::No, "{others}");
    }
}

#[test]
fn a_bot_knows_itself_by_the_number_in_its_token() {
    let account = accounts::telegram("https://api.telegram.test", None);
    let id: i64 = accounts::TOKEN.split(':').next().unwrap().parse().unwrap();
    let answer = json!({"update_id": 1, "message": {"message_id": 7, "date": 1, "text": "no",
        "chat": {"id": -100, "type": "supergroup"}, "from": {"id": 5, "first_name": "Ada"},
        "reply_to_message": {"message_id": 1, "from": {"id": id, "is_bot": true, "first_name": "Demo"}}}});
    let received = receive_with(
        &account,
        Some(WEBHOOK_SECRET.as_bytes()),
        answer.to_string().as_bytes(),
    );
    let Ok(Inbound::Message(message)) = received else {
        panic!("{received:?}")
    };
    assert_eq!(message.addressed, Addressed::Surely);
}

#[test]
fn recorded_events_that_are_no_messages_are_ignored_by_name() {
    for (body, expected) in [
        (fixture!("bot_blocked"), "blocked_by_the_user"),
        (
            r#"{"update_id":1,"edited_channel_post":{}}"#,
            "edited_channel_post",
        ),
        (fixture!("migrate_new_supergroup"), "service_message"),
        (r#"{"update_id":1,"brand_new_kind":{"a":1}}"#, "unknown_update"),
        (r#"{"update_id":1}"#, "unknown_update"),
    ] {
        assert_eq!(kind(body), expected);
    }
}

#[test]
fn a_change_is_a_message_of_its_own_and_says_so() {
    let edited = message(fixture!("edited"));
    assert_eq!((edited.text.as_str(), edited.is_edit), ("hello again", true));
    assert_eq!(edited.dedup_key, "250918540:101:1767224999");
    // Telegram may bring a message for the first time when it has been changed already.
    let late = fixture!("edited").replace("edited_message", "message");
    let late = message(&late);
    assert_eq!((late.dedup_key.as_str(), late.is_edit), ("250918540:101", false));
}

#[test]
fn a_pressed_button_says_its_value_and_telegram_hears_of_it() {
    let pressed = message(fixture!("callback_query"));
    assert_eq!(
        (pressed.text.as_str(), pressed.addressed),
        ("ok:42", Addressed::Surely)
    );
    assert_eq!(
        (pressed.chat_id.as_str(), pressed.message_id.as_deref()),
        ("250918540", Some("110"))
    );
    let answer = json!({"method": "answerCallbackQuery", "callback_query_id": "4382168034215648"});
    assert_eq!(pressed.answer, Some(answer));

    let mut far = serde_json::from_str::<Value>(fixture!("callback_query")).unwrap();
    far["callback_query"].as_object_mut().unwrap().remove("message");
    assert_eq!(kind(&far.to_string()), "button_without_message");
    let mut silent = serde_json::from_str::<Value>(fixture!("callback_query")).unwrap();
    silent["callback_query"]["data"] = json!("");
    assert_eq!(kind(&silent.to_string()), "button_without_data");
}

#[test]
fn the_messages_of_an_album_share_its_name() {
    assert_eq!(
        message(fixture!("video_album_item")).album.as_deref(),
        Some("13904567890123456")
    );
    assert_eq!(message(fixture!("voice")).album, None);
}

#[test]
fn what_becomes_of_the_bot_in_a_chat_is_ignored_by_name() {
    let changed = |chat: &str, status: &str| {
        let update = json!({"update_id": 1, "my_chat_member": {"chat": {"id": 5, "type": chat},
            "new_chat_member": {"status": status}}});
        kind(&update.to_string())
    };
    assert_eq!(changed("private", "member"), "unblocked_by_the_user");
    assert_eq!(changed("supergroup", "kicked"), "removed_from_the_chat");
    assert_eq!(changed("group", "left"), "removed_from_the_chat");
    assert_eq!(changed("group", "administrator"), "member_of_the_chat");
}

#[test]
fn contents_without_text_are_put_into_words() {
    for (body, words) in [
        (fixture!("sticker"), "[sticker 😡]"),
        (fixture!("location"), "[location: 52.520008, 13.404954]"),
        (fixture!("contact"), "[contact: Bob, +4915112345678]"),
    ] {
        assert_eq!(message(body).text, words);
    }
    let place = json!({"latitude": 52.5, "longitude": -13.0});
    for (content, words) in [
        (
            json!({"sticker": {"file_id": "s", "is_animated": false}}),
            "[sticker]",
        ),
        (
            json!({"venue": {"location": place, "title": "Gate", "address": "Square 1"}, "location": place}),
            "[venue: Gate, Square 1 (52.5, -13)]",
        ),
        (
            json!({"contact": {"phone_number": "+1", "first_name": "Ada", "last_name": "Byron"}}),
            "[contact: Ada Byron, +1]",
        ),
        (
            json!({"poll": {"id": "1", "question": "Where?", "options": [{"text": "here"}, {"text": "there"}]}}),
            "[poll: Where? (here / there)]",
        ),
        (json!({"dice": {"emoji": "🎲", "value": 4}}), "[🎲 4]"),
    ] {
        assert_eq!(message(&update(content).to_string()).text, words);
    }
}

#[test]
fn users_and_chats_may_be_authors_but_bots_may_not() {
    let user = message(fixture!("text_command_private")).user;
    assert_eq!(
        (user.name.as_deref(), user.username.as_deref()),
        (Some("Ada Byron"), Some("ada_b"))
    );
    let bot = json!({"id": 9, "is_bot": true, "first_name": "Group"});
    assert_eq!(
        kind(&update(json!({"text": "x", "from": bot})).to_string()),
        "from_a_bot"
    );
    assert_eq!(
        kind(&update(json!({"text": "x", "from": null})).to_string()),
        "without_author"
    );
    let chat = json!({"id": -100, "type": "supergroup", "title": "Ops"});
    let anonymous = message(&update(json!({"text": "x", "from": bot, "sender_chat": chat})).to_string());
    assert_eq!(
        (anonymous.user.id.as_str(), anonymous.user.name.as_deref()),
        ("-100", Some("Ops"))
    );
    let forwarded = json!({"text": "x", "from": bot, "sender_chat": chat, "is_automatic_forward": true});
    assert_eq!(kind(&update(forwarded).to_string()), "automatic_forward");
    let topic = json!({"text": "x", "direct_messages_topic": {"topic_id": 1}});
    assert_eq!(kind(&update(topic).to_string()), "direct_messages_topic");
}

#[test]
fn a_thread_of_replies_is_no_conversation_of_its_own() {
    assert_eq!(
        message(&update(json!({"text": "x", "message_thread_id": 4})).to_string()).thread_id,
        None
    );
}

#[test]
fn reset_is_a_command_and_may_name_us() {
    for (text, length) in [
        ("/reset", 6),
        ("/Reset please", 6),
        ("/reset@Demo_Bot", 15),
        ("/reset@demo_bot 😀", 15),
    ] {
        let outcome = receive(&command(text, length).to_string()).unwrap();
        assert!(matches!(outcome, Inbound::Reset(_)), "{text}: {outcome:?}");
    }
}

#[test]
fn what_only_looks_like_a_reset_is_a_message() {
    let no_entity = update(json!({"text": "/reset"}));
    let later = json!({"text": "a /reset", "entities": [{"type": "bot_command", "offset": 2, "length": 6}]});
    for body in [
        command("/resetall", 9),
        command("/start", 6),
        no_entity,
        update(later),
        command("/reset", 900),
    ] {
        let outcome = receive(&body.to_string()).unwrap();
        let is_reset = matches!(outcome, Inbound::Reset(_));
        // A length beyond the text is cut, so the last one is a reset after all.
        assert_eq!(
            is_reset,
            body["message"]["entities"][0]["length"] == 900,
            "{outcome:?}"
        );
    }
}

#[test]
fn a_command_for_another_bot_is_ignored_if_we_know_our_name() {
    let body = command("/reset@other_bot", 16).to_string();
    assert_eq!(kind(&body), "command_for_another_bot");
    let nameless = accounts::telegram("https://api.telegram.test", None);
    let outcome = receive_with(&nameless, Some(WEBHOOK_SECRET.as_bytes()), body.as_bytes());
    assert!(matches!(outcome, Ok(Inbound::Reset(_))), "{outcome:?}");
}

#[test]
fn one_message_in_two_updates_has_one_identity() {
    let mut again = update(json!({"text": "x"}));
    again["update_id"] = json!(2);
    assert_eq!(
        message(&again.to_string()),
        message(&update(json!({"text": "x"})).to_string())
    );
}

#[test]
fn what_is_no_update_is_not_understood_and_not_repeated() {
    for body in [
        "",
        "[]",
        "{}",
        "\"hunter2\"",
        r#"{"update_id":"hunter2"}"#,
        r#"{"update_id":1,"message":{"message_id":"hunter2"}}"#,
        r#"{"update_id":1,"callback_query":{"id":"","from":{"id":1},"data":"hunter2",
            "message":{"message_id":1,"chat":{"id":1,"type":"private"}}}}"#,
    ] {
        match receive(body) {
            Err(Refusal::NotUnderstood(reason)) => assert!(!reason.contains("hunter2"), "{reason}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

/// JSON out of the names that the parser knows, so that it gets beyond the first brace.
fn json_like_updates() -> impl Strategy<Value = Value> {
    let names = "update_id|message|message_id|chat|id|type|from|is_bot|sender_chat|text|entities|offset|length|\
                 photo|width|height|file_id|document|voice|sticker|message_thread_id|is_topic_message|caption";
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "bot_command|private|/reset|/reset@x|\\PC{0,8}".prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_receiving_panic(body: Vec<u8>) {
        prop_assert!(receive_with(&account(), Some(WEBHOOK_SECRET.as_bytes()), &body).is_err());
    }

    #[test]
    fn no_update_makes_receiving_panic(inner in json_like_updates()) {
        drop(receive(&json!({"update_id": 1, "message": inner}).to_string()));
        if inner.is_object() {
            drop(receive(&update(inner).to_string()));
        }
    }

    #[test]
    fn no_command_makes_receiving_panic(text in "/[a-z@😀é]{0,10}\\PC*", offset in 0_u64..3, length: u64) {
        let entities = json!([{"type": "bot_command", "offset": offset, "length": length}]);
        let body = update(json!({"text": text, "entities": entities})).to_string();
        prop_assert!(receive(&body).is_ok());
    }
}
