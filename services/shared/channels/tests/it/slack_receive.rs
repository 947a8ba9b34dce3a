//! Slack: what is pushed to us.

use channels::{Addressed, Inbound, InboundFile, InboundMessage, Refusal, Request};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use proto_schemas::content::FileLocation;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use sha2::Sha256;
use url::form_urlencoded::Serializer;

use crate::accounts::{self, SIGNING_SECRET};

const NOW: u64 = 1_766_458_100;
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../fixtures/slack/", $name, ".json"))
    };
}

fn receive_as(content_type: &str, body: &[u8]) -> Result<Inbound, Refusal> {
    let mut mac = Hmac::<Sha256>::new_from_slice(SIGNING_SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{NOW}:").as_bytes());
    mac.update(body);
    let signature = format!("v0={}", HEXLOWER.encode(&mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
    headers.insert("x-slack-request-timestamp", NOW.into());
    headers.insert("x-slack-signature", signature.parse().unwrap());
    let request = Request {
        headers: &headers,
        body,
        now_secs: NOW,
    };
    accounts::slack("https://slack.test/api").receive(&request)
}

fn receive(body: &str) -> Result<Inbound, Refusal> {
    receive_as(JSON, body.as_bytes())
}

fn submit(fields: &[(&str, &str)]) -> Result<Inbound, Refusal> {
    let body = Serializer::new(String::new()).extend_pairs(fields).finish();
    receive_as(&format!("{FORM}; charset=utf-8"), body.as_bytes())
}

fn taken(outcome: Result<Inbound, Refusal>) -> InboundMessage {
    match outcome.unwrap() {
        Inbound::Message(message) => message,
        other @ (Inbound::Reset(_)
        | Inbound::Handshake { .. }
        | Inbound::Trouble { .. }
        | Inbound::Ignored { .. }) => panic!("{other:?}"),
    }
}

fn message(body: &str) -> InboundMessage {
    taken(receive(body))
}

fn kind(outcome: Result<Inbound, Refusal>) -> String {
    match outcome.unwrap() {
        Inbound::Ignored { kind } => kind.to_owned(),
        Inbound::Trouble { kind } => format!("trouble {kind}"),
        other @ (Inbound::Message(_) | Inbound::Reset(_) | Inbound::Handshake { .. }) => panic!("{other:?}"),
    }
}

/// The recorded message of a channel with some of its event's members changed; null takes one out.
fn changed(members: Value) -> String {
    let mut push: Value = serde_json::from_str(fixture!("message_channel")).unwrap();
    let event = push["event"].as_object_mut().unwrap();
    event.extend(members.as_object().unwrap().clone());
    push.to_string()
}

#[test]
fn the_challenge_of_a_verification_comes_back() {
    let challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    let answer = json!({ "challenge": challenge });
    assert_eq!(
        receive(fixture!("url_verification")),
        Ok(Inbound::Handshake { answer })
    );
}

#[test]
fn what_is_not_signed_is_not_read() {
    let unsigned = Request {
        headers: &HeaderMap::new(),
        body: fixture!("url_verification").as_bytes(),
        now_secs: NOW,
    };
    let outcome = accounts::slack("https://slack.test/api").receive(&unsigned);
    assert!(matches!(outcome, Err(Refusal::Unauthorized(_))), "{outcome:?}");
}

#[test]
fn a_mention_in_a_channel_begins_a_thread() {
    let expected = InboundMessage {
        dedup_key: "C00FAKECHAN1:1766458026.240809".to_owned(),
        chat_id: "C00FAKECHAN1".to_owned(),
        thread_id: Some("1766458026.240809".to_owned()),
        thread_is_conversation: true,
        message_id: Some("1766458026.240809".to_owned()),
        user: proto_schemas::content::User {
            id: "U00FAKEUSER1".to_owned(),
            name: None,
            username: None,
        },
        text: "is 1 < 2 in #C00FAKECHAN1? see https://example.com".to_owned(),
        files: Vec::new(),
        is_group: true,
        addressed: Addressed::Surely,
        album: None,
        is_edit: false,
        interaction: None,
        answer: None,
    };
    assert_eq!(message(fixture!("message_channel")), expected);
}

#[test]
fn a_mention_that_comes_twice_is_the_same_message_twice() {
    assert_eq!(
        message(fixture!("app_mention")),
        message(fixture!("message_channel"))
    );
}

#[test]
fn a_reply_in_a_thread_is_overheard_unless_it_names_us_or_answers_us() {
    let overheard = message(fixture!("thread_reply"));
    assert_eq!(overheard.addressed, Addressed::Perhaps);
    assert_eq!(overheard.thread_id.as_deref(), Some("1766458026.240809"));
    assert_eq!(overheard.message_id.as_deref(), Some("1766458031.859009"));
    let thread = json!("1766458000.000001");
    let named = message(&changed(json!({ "thread_ts": thread })));
    assert_eq!(named.addressed, Addressed::Surely);
    let answer = json!({"thread_ts": thread, "text": "no", "parent_user_id": "U00FAKEBOT01"});
    assert_eq!(message(&changed(answer)).addressed, Addressed::Surely);
}

#[test]
fn what_is_said_in_a_channel_without_our_name_is_not_for_us() {
    for text in ["hello all", "U00FAKEBOT01", "<@U00FAKEBOT012>"] {
        let said = message(&changed(json!({ "text": text })));
        assert_eq!(said.addressed, Addressed::No, "{text}");
    }
    let mut nameless: Value = serde_json::from_str(fixture!("message_channel")).unwrap();
    nameless["authorizations"] = Value::Null;
    assert_eq!(message(&nameless.to_string()).addressed, Addressed::No);
}

#[test]
fn a_direct_message_is_for_us_and_its_threads_are_one_conversation() {
    for kind in [json!("im"), json!("app_home"), Value::Null] {
        let direct = json!({"channel": "D1", "channel_type": kind, "text": "hi"});
        let message = message(&changed(direct));
        assert_eq!((message.thread_id, message.is_group), (None, false));
    }
    let answer = json!({"channel": "D1", "channel_type": "im", "text": "hi", "thread_ts": "1.2"});
    let message = message(&changed(answer));
    assert_eq!(message.thread_id.as_deref(), Some("1.2"));
    assert!(!message.thread_is_conversation && message.addressed == Addressed::Surely);
}

#[test]
fn a_file_is_left_on_slack_under_its_identifier() {
    let message = message(fixture!("file_share_dm"));
    assert_eq!(message.text, "We got one!");
    let [InboundFile::Source(file)] = &message.files[..] else {
        panic!("{:?}", message.files)
    };
    assert_eq!(
        (file.name.as_str(), file.mime_type.as_deref(), file.bytes),
        ("ghostrap.png", Some("image/png"), Some(196_920))
    );
    let location = FileLocation::Platform {
        file_id: "F0RDC39U1".to_owned(),
    };
    assert_eq!(file.location, location);
}

#[test]
fn a_file_of_which_little_is_known_is_taken_and_text_is_not_needed() {
    let files = json!([{"id": "F1", "file_access": "check_file_info", "name": null}, {"mode": "tombstone"}]);
    let text = "<@U00FAKEBOT01>";
    let message = message(&changed(
        json!({"files": files, "text": text, "subtype": "file_share"}),
    ));
    assert_eq!((message.text.as_str(), message.files.len()), ("", 1));
    let InboundFile::Source(file) = &message.files[0] else {
        panic!("{:?}", message.files)
    };
    assert_eq!((file.name.as_str(), file.bytes), ("file", None));
}

#[test]
fn a_call_by_name_alone_is_what_was_said() {
    let message = message(&changed(json!({"text": " <@U00FAKEBOT01> "})));
    assert_eq!(message.text, "@U00FAKEBOT01");
}

#[test]
fn what_nobody_wrote_to_us_is_ignored_by_name() {
    for (members, expected) in [
        (json!({"bot_id": "B1"}), "from_a_bot"),
        (json!({"user": "U00FAKEBOT01"}), "from_a_bot"),
        (json!({"user": "USLACKBOT"}), "from_slack"),
        (json!({"user": null}), "without_author"),
        (json!({"subtype": "bot_message", "user": null}), "bot_message"),
        (json!({"subtype": "channel_join"}), "service_message"),
        (json!({"subtype": "something_new"}), "service_message"),
        (json!({"channel_type": "im", "text": null}), "without_content"),
        (
            json!({"type": "reaction_added", "user": {"a": 1}, "item": {}}),
            "other_event",
        ),
        (
            json!({"type": "tokens_revoked", "tokens": {"bot": ["U1"]}}),
            "trouble tokens_revoked",
        ),
        (json!({"type": "app_uninstalled"}), "trouble app_uninstalled"),
    ] {
        assert_eq!(kind(receive(&changed(members.clone()))), expected, "{members}");
    }
    for (body, expected) in [
        (fixture!("message_deleted"), "message_deleted"),
        (fixture!("app_rate_limited"), "trouble app_rate_limited"),
        (r#"{"type":"brand_new","a":[1]}"#, "unknown_push"),
    ] {
        assert_eq!(kind(receive(body)), expected);
    }
}

#[test]
fn a_change_is_a_message_of_its_own_and_what_slack_adds_is_none() {
    let edited = message(fixture!("message_changed"));
    assert_eq!((edited.text.as_str(), edited.is_edit), ("2 (edited)", true));
    assert_eq!(edited.thread_id.as_deref(), Some("1766458026.240809"));
    assert_eq!(
        edited.dedup_key,
        "C00FAKECHAN1:1766458031.859009:1766458033.000000"
    );

    let unfurled = fixture!("message_changed").replace("2 (edited)", "2");
    assert_eq!(kind(receive(&unfurled)), "message_changed");
    let mut untouched: Value = serde_json::from_str(fixture!("message_changed")).unwrap();
    untouched["event"]["message"]
        .as_object_mut()
        .unwrap()
        .remove("edited");
    assert_eq!(kind(receive(&untouched.to_string())), "message_changed");
}

#[test]
fn every_kind_of_message_that_people_write_is_taken() {
    for subtype in [
        Value::Null,
        json!("file_share"),
        json!("thread_broadcast"),
        json!("me_message"),
    ] {
        message(&changed(
            json!({"subtype": subtype, "root": {"text": "x"}, "brand_new": {"a": 1}}),
        ));
    }
}

#[test]
fn a_reset_is_a_text_or_a_command() {
    let command = [
        ("command", "/Reset"),
        ("text", ""),
        ("channel_id", "D1"),
        ("user_id", "U1"),
        ("trigger_id", "1.2.3"),
    ];
    for outcome in [
        receive(&changed(json!({"text": "<@U00FAKEBOT01> /reset"}))),
        receive(&changed(json!({"text": " /RESET ", "channel_type": "im"}))),
        submit(&command),
    ] {
        assert!(matches!(outcome, Ok(Inbound::Reset(_))), "{outcome:?}");
    }
    assert_eq!(
        message(&changed(json!({"text": "<@U00FAKEBOT01> /reset all"}))).text,
        "/reset all"
    );
}

#[test]
fn a_command_is_said_to_its_channel() {
    let command = |channel: &'static str| {
        [
            ("token", "x"),
            ("team_id", "T1"),
            ("command", "/ask"),
            ("text", "1 &lt; 2, <@U7|ada>?"),
            ("channel_id", channel),
            ("user_id", "U1"),
            ("user_name", "roadrunner"),
            ("trigger_id", "398738663015.47445629121.803a"),
            ("response_url", "https://hooks.slack.com/commands/x"),
        ]
    };
    let message = taken(submit(&command("C1")));
    assert_eq!(message.text, "/ask 1 < 2, @ada?");
    assert_eq!(
        (message.chat_id.as_str(), message.thread_id, message.message_id),
        ("C1", None, None)
    );
    assert_eq!(
        (message.user.id.as_str(), message.user.username.as_deref()),
        ("U1", Some("roadrunner"))
    );
    assert_eq!(message.dedup_key, "398738663015.47445629121.803a");
    assert!(message.is_group && message.addressed == Addressed::Surely);
    assert!(!taken(submit(&command("D1"))).is_group);
}

#[test]
fn what_is_pressed_is_said_in_the_thread_of_the_button() {
    let message = taken(submit(&[("payload", fixture!("block_actions"))]));
    assert_eq!(message.text, "ok:42");
    assert_eq!(
        (message.chat_id.as_str(), message.thread_id.as_deref()),
        ("C00FAKECHAN1", Some("1767326125.870439"))
    );
    assert_eq!(message.message_id.as_deref(), Some("1767326126.896109"));
    assert_eq!(
        (message.user.id.as_str(), message.user.username.as_deref()),
        ("U00FAKEUSER1", Some("testuser"))
    );
    assert!(
        message.dedup_key.ends_with(":1767326130.289415"),
        "{}",
        message.dedup_key
    );
}

#[test]
fn a_button_outside_of_a_thread_begins_one_and_in_a_direct_message_none() {
    let pressed = |channel: &str, action: Value| {
        let mut payload: Value = serde_json::from_str(fixture!("block_actions")).unwrap();
        payload["container"] = json!({"channel_id": channel, "message_ts": "1.2"});
        payload["actions"] = json!([action]);
        taken(submit(&[("payload", &payload.to_string())]))
    };
    let option = json!({"action_id": "a", "value": null, "selected_option": {"value": "blue"}});
    let message = pressed("C1", option);
    assert_eq!(
        (message.text.as_str(), message.thread_id.as_deref()),
        ("blue", Some("1.2"))
    );
    let message = pressed("D1", json!({"action_id": "date", "selected_date": "2026-01-02"}));
    assert_eq!((message.text.as_str(), message.thread_id), ("2026-01-02", None));
    assert_eq!(pressed("D1", json!({"action_id": "go", "value": " "})).text, "go");
}

#[test]
fn other_forms_are_ignored_by_name() {
    let view = r#"{"type":"block_actions","user":{"id":"U1"},"trigger_id":"1","container":{"type":"view"},
        "actions":[{"action_id":"a"}]}"#;
    for (field, value, expected) in [
        ("ssl_check", "1", "ssl_check"),
        (
            "payload",
            r#"{"type":"view_submission","view":{}}"#,
            "view_submission",
        ),
        (
            "payload",
            r#"{"type":"message_action","message":{}}"#,
            "message_action",
        ),
        ("payload", r#"{"type":"brand_new"}"#, "other_interaction"),
        ("payload", view, "action_outside_of_a_channel"),
    ] {
        assert_eq!(kind(submit(&[(field, value)])), expected);
    }
}

#[test]
fn what_is_authentic_and_means_nothing_is_not_understood_and_not_repeated() {
    let event = |event: &str| format!(r#"{{"type":"event_callback","event":{event}}}"#);
    for body in [
        String::new(),
        "[]".to_owned(),
        "{}".to_owned(),
        r#"{"type":"url_verification"}"#.to_owned(),
        r#"{"type":"event_callback"}"#.to_owned(),
        event("{}"),
        event(r#"{"type":"message","channel":"hunter2"}"#),
        event(r#"{"type":"message","channel":"C1","ts":17.5,"text":"hunter2"}"#),
    ] {
        assert_not_understood(receive(&body), &body);
    }
    for member in ["channel", "user", "ts", "thread_ts"] {
        let body = changed(json!({ member: "" }));
        assert_not_understood(receive(&body), &body);
    }
    for fields in [
        &[("hunter2", "x")][..],
        &[("payload", "hunter2")],
        &[("payload", r#"{"type":"block_actions"}"#)],
        &[("command", "/hunter2")],
    ] {
        assert_not_understood(submit(fields), &format!("{fields:?}"));
    }
}

fn assert_not_understood(outcome: Result<Inbound, Refusal>, body: &str) {
    match outcome {
        Err(Refusal::NotUnderstood(reason)) => assert!(!reason.contains("hunter2"), "{reason}"),
        other => panic!("{body}: {other:?}"),
    }
}

/// JSON out of the names that the parser knows, so that it gets beyond the first brace.
fn json_like_events() -> impl Strategy<Value = Value> {
    let names = "type|event|channel|channel_type|subtype|user|bot_id|text|ts|thread_ts|parent_user_id|files|id|name|\
                 mimetype|size|container|channel_id|message_ts|actions|value|selected_option|trigger_id|challenge";
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "message|app_mention|im|block_actions|<@U1> /reset|\\PC{0,8}".prop_map(Value::from),
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
        prop_assert!(receive_as(JSON, &body).is_err());
        drop(receive_as(FORM, &body));
    }

    #[test]
    fn no_event_makes_receiving_panic(inner in json_like_events()) {
        drop(receive(&inner.to_string()));
        drop(receive(&json!({"type": "event_callback", "event": inner}).to_string()));
        drop(submit(&[("payload", &inner.to_string())]));
        if inner.is_object() {
            drop(receive(&changed(inner)));
        }
    }
}
