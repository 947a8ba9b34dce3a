//! Discord: what is pushed to us.

use channels::{Addressed, Inbound, InboundFile, InboundMessage, Refusal, Request};
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use proto_schemas::content::{FileLocation, FileSource, Interaction, User};
use proto_schemas::ids::UnixMillis;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use testkit::discord::{command, event, in_direct_messages, ping, press};

use crate::accounts;

const NOW: u64 = 1_767_574_257;
/// Of the key whose public half the account has.
const SEED: &[u8] = b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../fixtures/discord/", $name, ".json"))
    };
}

fn receive(body: &[u8]) -> Result<Inbound, Refusal> {
    let seed = HEXLOWER.decode(SEED).unwrap();
    let key = SigningKey::from_bytes(&seed.try_into().unwrap());
    let signature = key.sign(&[NOW.to_string().as_bytes(), body].concat());
    let signature = HEXLOWER.encode(&signature.to_bytes());
    let mut headers = HeaderMap::new();
    headers.insert("x-signature-timestamp", NOW.into());
    headers.insert("x-signature-ed25519", signature.parse().unwrap());
    let request = Request {
        headers: &headers,
        body,
        now_secs: NOW,
    };
    accounts::discord("https://discord.test/api/v10").receive(&request)
}

fn pushed(push: &Value) -> Result<Inbound, Refusal> {
    receive(push.to_string().as_bytes())
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

fn kind(outcome: Result<Inbound, Refusal>) -> String {
    match outcome.unwrap() {
        Inbound::Ignored { kind } => kind.to_owned(),
        Inbound::Trouble { kind } => format!("trouble {kind}"),
        Inbound::Handshake { answer } => answer.to_string(),
        other @ (Inbound::Message(_) | Inbound::Reset(_)) => panic!("{other:?}"),
    }
}

/// A command `/name` whose data has these members besides.
fn command_with(name: &str, members: Value) -> Value {
    let mut push = command("C1", "1", "t", name, &[]);
    let data = push["data"].as_object_mut().unwrap();
    data.extend(members.as_object().unwrap().clone());
    push
}

fn text_of(push: &Value) -> String {
    taken(pushed(push)).text
}

fn option(kind: u64, value: Value) -> Value {
    json!({"name": "x", "type": kind, "value": value})
}

#[test]
fn a_ping_is_answered_with_a_pong() {
    for body in [
        r#"{"type":1}"#.to_owned(),
        fixture!("ping").to_owned(),
        ping().to_string(),
    ] {
        assert_eq!(kind(receive(body.as_bytes())), r#"{"type":1}"#);
    }
}

#[test]
fn what_is_not_signed_is_not_read() {
    let unsigned = Request {
        headers: &HeaderMap::new(),
        body: fixture!("ping").as_bytes(),
        now_secs: NOW,
    };
    let outcome = accounts::discord("https://discord.test/").receive(&unsigned);
    assert!(matches!(outcome, Err(Refusal::Unauthorized(_))), "{outcome:?}");
}

#[test]
fn a_command_with_a_file_says_its_options() {
    let url = "https://cdn.discordapp.com/ephemeral-attachments/1457510428359004343/1457536600000000001/\
        report.pdf?ex=68dc7ce1&is=68db2b61&hm=5954f90117ccf8716ffa6c7f97a778a0d039810c9584045f400d8a9fff590768&";
    let expected = InboundMessage {
        dedup_key: "1457536583141163186".to_owned(),
        chat_id: "1457510428359004343".to_owned(),
        thread_id: None,
        thread_is_conversation: false,
        message_id: None,
        user: User {
            id: "1033044521375764530".to_owned(),
            name: Some("Test User".to_owned()),
            username: Some("testuser2384".to_owned()),
        },
        text: "summarise this".to_owned(),
        files: vec![InboundFile::Source(FileSource {
            name: "report.pdf".to_owned(),
            mime_type: Some("application/pdf".to_owned()),
            bytes: Some(241_394),
            location: FileLocation::Url { url: url.to_owned() },
        })],
        is_group: true,
        addressed: Addressed::Surely,
        album: None,
        is_edit: false,
        interaction: Some(Interaction {
            token: "aW50ZXJhY3Rpb246MTQ1NzUzNjU4MzE0MTE2MzE4Njp4".to_owned(),
            expires_at: UnixMillis((NOW + 900) * 1000),
        }),
        answer: Some(json!({"type": 5})),
    };
    let body = fixture!("slash_guild_attachment").as_bytes();
    assert_eq!(taken(receive(body)), expected);
}

#[test]
fn a_form_says_what_was_filled_in() {
    let message = taken(receive(fixture!("modal_submit").as_bytes()));
    assert_eq!(message.text, "looks good");
    assert_eq!(message.answer, Some(json!({"type": 5})));
    assert!(!message.is_group, "direct messages with the bot");
    assert_eq!(message.user.name.as_deref(), Some("Test User"));
}

#[test]
fn fields_of_a_form_come_in_their_order_with_their_files() {
    let mut push: Value = serde_json::from_str(fixture!("modal_submit")).unwrap();
    push["data"]["components"] = json!([
        {"type": 1, "components": [{"type": 4, "custom_id": "a", "value": "one"}]},
        {"type": 18, "component": {"type": 3, "custom_id": "b", "values": ["two", "three"]}},
        {"type": 18, "component": {"type": 5, "custom_id": "c", "values": ["7"]}},
        {"type": 18, "component": {"type": 19, "custom_id": "d", "values": ["9"]}},
        {"type": 10, "content": "a text that only stands there"},
    ]);
    push["data"]["resolved"] = json!({
        "users": {"7": {"id": "7", "username": "ada"}},
        "attachments": {"9": {"id": "9", "filename": "a.png", "url": "https://cdn.discordapp.com/a.png"}},
    });
    let message = taken(pushed(&push));
    assert_eq!(message.text, "one\ntwo\nthree\n@ada");
    assert_eq!(message.files.len(), 1);
    push["data"]["components"] = json!([]);
    assert_eq!(text_of(&push), "feedback", "a form of nothing says its name");
}

#[test]
fn the_command_for_talking_is_not_said_and_others_are() {
    let say = |name: &str, options: &[(&str, &str)]| text_of(&command("C1", "1", "t", name, options));
    assert_eq!(say("ask", &[("prompt", "the time?")]), "the time?");
    assert_eq!(say("ask", &[]), "/ask");
    assert_eq!(
        say("weather", &[("city", "Berlin"), ("day", "today")]),
        "/weather Berlin today"
    );
    assert_eq!(say("help", &[]), "/help");
}

#[test]
fn options_of_all_kinds_are_read_as_people_read_them() {
    let options = json!([
        option(4, json!(42)),
        option(10, json!(1.5)),
        option(5, json!(true)),
        option(6, json!("7")),
        option(7, json!("8")),
        option(8, json!("9")),
        option(9, json!("10")),
        option(3, json!("7")),
    ]);
    let resolved = json!({
        "users": {"7": {"id": "7", "username": "ada", "global_name": "Ada"}},
        "channels": {"8": {"id": "8", "name": "general", "type": 0}},
        "roles": {"9": {"id": "9", "name": "ops"}},
    });
    let push = command_with("set", json!({"options": options, "resolved": resolved}));
    assert_eq!(text_of(&push), "/set 42 1.5 true @Ada #general @ops 10 7");
}

#[test]
fn commands_below_a_command_are_named() {
    let inner = json!({"name": "add", "type": 1, "options": [option(3, json!("milk"))]});
    let options = json!([{"name": "list", "type": 2, "options": [inner]}]);
    assert_eq!(
        text_of(&command_with("shop", json!({"options": options}))),
        "/shop list add milk"
    );
}

#[test]
fn a_command_on_a_user_or_message_says_what_it_was_given_on() {
    let on_user = command_with(
        "Greet",
        json!({
            "type": 2, "target_id": "7", "resolved": {"users": {"7": {"id": "7", "username": "ada"}}},
        }),
    );
    assert_eq!(text_of(&on_user), "Greet @ada");
    let file = json!({"id": "1", "filename": "a.png", "url": "https://cdn.discordapp.com/a.png"});
    let on_message = command_with(
        "Translate",
        json!({
            "type": 3, "target_id": "8",
            "resolved": {"messages": {"8": {"id": "8", "content": "Hola", "attachments": [file]}}},
        }),
    );
    let message = taken(pushed(&on_message));
    assert_eq!(
        (message.text.as_str(), message.files.len()),
        ("Translate\n\nHola", 1)
    );
    let unseen = command_with("Translate", json!({"type": 3, "target_id": "8"}));
    assert_eq!(text_of(&unseen), "Translate");
}

#[test]
fn a_pressed_button_says_its_identifier_under_its_message() {
    let message = taken(pushed(&press("C1", "1", "t", "ok:42", "99")));
    assert_eq!(message.text, "ok:42");
    assert_eq!(message.message_id.as_deref(), Some("99"));
    assert_eq!(message.answer, Some(json!({"type": 6})));
}

#[test]
fn what_is_chosen_from_a_list_is_said() {
    let mut push = press("C1", "1", "t", "list", "99");
    push["data"]["component_type"] = 3.into();
    push["data"]["values"] = json!(["red", "blue"]);
    assert_eq!(text_of(&push), "red, blue");
    push["data"]["component_type"] = 5.into();
    push["data"]["values"] = json!(["7", "8"]);
    push["data"]["resolved"] = json!({"users": {"7": {"id": "7", "username": "ada"}}});
    assert_eq!(text_of(&push), "@ada, 8");
}

#[test]
fn the_command_reset_starts_afresh() {
    let outcome = pushed(&command("C1", "1", "t", "reset", &[])).unwrap();
    let Inbound::Reset(message) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(message.answer, Some(json!({"type": 5})));
}

#[test]
fn suggestions_while_one_types_are_none() {
    let mut push = command("C1", "1", "t", "ask", &[("prompt", "th")]);
    push["type"] = 4.into();
    push["data"]["options"][0]["focused"] = true.into();
    let answer = json!({"type": 8, "data": {"choices": []}});
    assert_eq!(pushed(&push), Ok(Inbound::Handshake { answer }));
}

#[test]
fn who_is_alone_with_the_bot_is_told_from_who_is_not() {
    let asked = command("C1", "1", "t", "ask", &[]);
    let direct = in_direct_messages(asked.clone());
    let with = |push: &Value, context: Option<u64>| {
        let mut push = push.clone();
        push["context"] = context.into();
        taken(pushed(&push)).is_group
    };
    assert!(with(&asked, Some(0)) && with(&asked, None));
    assert!(!with(&direct, Some(1)) && !with(&direct, None));
    assert!(with(&direct, Some(2)), "between others");
    let mut group = direct;
    group["channel"]["type"] = 3.into();
    assert!(with(&group, None));
}

#[test]
fn a_thread_is_a_channel_of_its_own() {
    let mut push = command("T1", "1", "t", "ask", &[]);
    push["channel"]["type"] = 11.into();
    push["channel"]["parent_id"] = "C1".into();
    let message = taken(pushed(&push));
    assert_eq!((message.chat_id.as_str(), message.thread_id), ("T1", None));
}

#[test]
fn the_name_in_the_server_comes_first() {
    let mut push = command("C1", "1", "t", "ask", &[]);
    push["member"]["nick"] = "Countess".into();
    assert_eq!(taken(pushed(&push)).user.name.as_deref(), Some("Countess"));
}

#[test]
fn what_is_not_answered_is_named() {
    let mut of_a_bot = command("C1", "1", "t", "ask", &[]);
    of_a_bot["member"]["user"]["bot"] = true.into();
    let mut unknown = command("C1", "1", "t", "ask", &[]);
    unknown["type"] = 99.into();
    for (push, expected) in [
        (event(None), "event_ping"),
        (
            event(Some("APPLICATION_DEAUTHORIZED")),
            "trouble application_deauthorized",
        ),
        (event(Some("ENTITLEMENT_CREATE")), "other_event"),
        (of_a_bot, "from_a_bot"),
        (unknown, "other_interaction"),
    ] {
        assert_eq!(kind(pushed(&push)), expected);
    }
    let authorized = receive(fixture!("webhook_event_authorized").as_bytes());
    assert_eq!(kind(authorized), "other_event");
}

#[test]
fn what_lacks_a_member_is_not_understood() {
    let sound = press("C1", "1", "t", "ok", "99");
    for member in ["id", "token", "data", "message", "type"] {
        let mut push = sound.clone();
        push.as_object_mut().unwrap().remove(member);
        let outcome = pushed(&push);
        assert!(
            matches!(outcome, Err(Refusal::NotUnderstood(_))),
            "{member}: {outcome:?}"
        );
    }
    let mut nobody = sound.clone();
    nobody["member"]["user"] = Value::Null;
    let mut nowhere = sound.clone();
    for member in ["channel", "channel_id"] {
        nowhere[member] = Value::Null;
    }
    let mut nothing = sound;
    nothing["data"]["custom_id"] = Value::Null;
    for push in [nobody, nowhere, nothing, json!([]), json!({"type": "2"})] {
        let outcome = pushed(&push);
        assert!(matches!(outcome, Err(Refusal::NotUnderstood(_))), "{outcome:?}");
    }
    for body in [&b"no json"[..], b"", &[b'['; 100_000]] {
        assert!(matches!(receive(body), Err(Refusal::NotUnderstood(_))));
    }
}

#[test]
fn members_that_nobody_knows_yet_do_no_harm() {
    let mut push: Value = serde_json::from_str(fixture!("slash_guild_attachment")).unwrap();
    add_unknown(&mut push);
    let known = taken(receive(fixture!("slash_guild_attachment").as_bytes()));
    let with_unknown = taken(pushed(&push));
    assert_eq!(with_unknown.text, known.text);
    assert_eq!(with_unknown.files, known.files);
}

/// Gives every object a member more.
fn add_unknown(value: &mut Value) {
    if let Some(members) = value.as_object_mut() {
        for (name, inner) in members.iter_mut() {
            // What is a map by identifiers has no members of its own.
            if name == "resolved" {
                inner["attachments"]
                    .as_object_mut()
                    .unwrap()
                    .values_mut()
                    .for_each(add_unknown);
            } else {
                add_unknown(inner);
            }
        }
        members.insert("unknown".to_owned(), json!({"deep": [1, null]}));
    } else if let Some(items) = value.as_array_mut() {
        items.iter_mut().for_each(add_unknown);
    }
}

proptest! {
    // Signing takes its time without optimisation.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_signed_body_is_read_without_a_panic(cut in 0_usize..2000, byte: u8) {
        let mut body = fixture!("slash_guild_attachment").as_bytes().to_vec();
        let at = cut % body.len();
        body[at] = byte;
        let whole = receive(&body);
        prop_assert!(!matches!(whole, Err(Refusal::Unauthorized(_))), "{:?}", whole);
        let cut = receive(&body[..at]);
        prop_assert!(matches!(cut, Err(Refusal::NotUnderstood(_))), "{:?}", cut);
    }
}
