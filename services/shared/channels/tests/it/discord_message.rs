//! Discord: plain messages, as its Gateway tells of them.

use channels::{Addressed, Inbound, InboundFile, InboundMessage, Refusal, receive_discord_message};
use proptest::prelude::*;
use proto_schemas::content::{FileLocation, FileSource, User};
use serde_json::{Value, json};

const FIXTURE: &str = include_str!("../fixtures/discord/gateway_message_create.json");
const BOT: &str = "1457469483726668048";

fn receive(event: &str) -> Result<Inbound, Refusal> {
    receive_discord_message(event.as_bytes(), BOT)
}

/// The recorded message with some of its members changed; null takes one out.
fn changed(members: Value) -> Result<Inbound, Refusal> {
    let mut event: Value = serde_json::from_str(FIXTURE).unwrap();
    let message = event["d"].as_object_mut().unwrap();
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(message.remove(name)),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                message.insert(name.clone(), value.clone());
            }
        }
    }
    receive(&event.to_string())
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

fn kind(outcome: Result<Inbound, Refusal>) -> &'static str {
    match outcome.unwrap() {
        Inbound::Ignored { kind } => kind,
        other @ (Inbound::Message(_)
        | Inbound::Reset(_)
        | Inbound::Handshake { .. }
        | Inbound::Trouble { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn a_message_with_a_file_that_calls_the_bot_is_read_whole() {
    let url = "https://cdn.discordapp.com/attachments/1457510428359004343/1457536826000000001/a.png\
               ?ex=65d903de&is=65c68ede&hm=2481f30dd67f503f54d020ae3b5533b9987fae4e55f2b4e3926e08a3fa3ee24f&";
    let expected = InboundMessage {
        dedup_key: "1457536826435961028".to_owned(),
        chat_id: "1457510428359004343".to_owned(),
        thread_id: None,
        thread_is_conversation: false,
        message_id: Some("1457536826435961028".to_owned()),
        user: User {
            id: "1033044521375764530".to_owned(),
            name: Some("Test User".to_owned()),
            username: Some("testuser2384".to_owned()),
        },
        text: "hi".to_owned(),
        files: vec![InboundFile::Source(FileSource {
            name: "a.png".to_owned(),
            mime_type: Some("image/png".to_owned()),
            bytes: Some(1024),
            location: FileLocation::Url { url: url.to_owned() },
        })],
        is_group: true,
        addressed: Addressed::Surely,
        album: None,
        is_edit: false,
        interaction: None,
        answer: None,
    };
    assert_eq!(taken(receive(FIXTURE)), expected);
}

#[test]
fn who_is_meant_is_told_by_the_place_the_names_and_what_is_replied_to() {
    let by = |id: &str| json!({"author": {"id": id}});
    let nobody = json!([]);
    for (members, expected) in [
        (json!({"guild_id": null, "mentions": nobody}), Addressed::Surely),
        (json!({"mentions": [{"id": BOT}]}), Addressed::Surely),
        (json!({"mentions": nobody}), Addressed::No),
        (json!({"mentions": [{"id": "7"}]}), Addressed::No),
        (
            json!({"mentions": nobody, "mention_everyone": true}),
            Addressed::No,
        ),
        (
            json!({"mentions": nobody, "referenced_message": by(BOT)}),
            Addressed::Surely,
        ),
        (
            json!({"mentions": nobody, "referenced_message": by("7")}),
            Addressed::No,
        ),
        (
            json!({"mentions": nobody, "channel_type": 11}),
            Addressed::Perhaps,
        ),
    ] {
        let message = taken(changed(members.clone()));
        assert_eq!(message.addressed, expected, "{members}");
        assert_eq!(message.is_group, members.get("guild_id").is_none(), "{members}");
    }
}

#[test]
fn people_are_called_by_the_names_that_others_see() {
    let mentions = json!([
        {"id": BOT, "username": "demo"},
        {"id": "7", "username": "ada", "global_name": "Ada", "member": {"nick": "Countess"}},
        {"id": "8", "username": "bob", "global_name": null},
    ]);
    for (content, text) in [
        ("<@1457469483726668048> hi", "hi"),
        ("<@!1457469483726668048>  hi", "hi"),
        ("ask <@7> and <@!8>", "ask @Countess and @bob"),
        ("hi <@1457469483726668048>", "hi @demo"),
        ("<@14574694837266680489> hi", "<@14574694837266680489> hi"),
        ("<@9> & <#1> < 2", "<@9> & <#1> < 2"),
    ] {
        let message = taken(changed(json!({"content": content, "mentions": mentions})));
        assert_eq!(message.text, text, "{content}");
    }
    let nick = json!({"member": {"nick": "Tess"}});
    assert_eq!(taken(changed(nick)).user.name.as_deref(), Some("Tess"));
}

#[test]
fn a_bare_call_is_what_was_said_unless_files_say_more() {
    let call = "<@1457469483726668048>";
    let bare = taken(changed(json!({"content": call, "attachments": []})));
    assert_eq!(bare.text, "@Demo");
    assert_eq!(taken(changed(json!({"content": call}))).text, "");
}

#[test]
fn a_wish_to_start_afresh_is_one_with_the_call_before_it() {
    let outcome = changed(json!({"content": "<@1457469483726668048> /Reset", "attachments": []}));
    assert!(matches!(outcome, Ok(Inbound::Reset(_))), "{outcome:?}");
}

#[test]
fn what_no_person_said_is_not_answered() {
    let author = |more: Value| {
        let mut author = json!({"id": "7", "username": "x"});
        author
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({ "author": author })
    };
    for (members, expected) in [
        (author(json!({"bot": true})), "from_a_bot"),
        (author(json!({ "id": BOT })), "from_a_bot"),
        (json!({"webhook_id": "9"}), "from_a_bot"),
        (author(json!({"system": true})), "from_discord"),
        (json!({"type": 7}), "service_message"),
        (json!({"type": 20}), "service_message"),
        (json!({"content": "", "attachments": []}), "without_content"),
    ] {
        assert_eq!(kind(changed(members.clone())), expected, "{members}");
    }
}

#[test]
fn what_is_no_message_is_not_understood_and_not_repeated() {
    for bad in ["", "{", "{}", r#"{"d":{"id":"s3cret"}}"#, r#"{"d":[]}"#] {
        let refusal = receive(bad).unwrap_err();
        assert!(matches!(refusal, Refusal::NotUnderstood(_)), "{refusal:?}");
        assert!(!refusal.to_string().contains("s3cret"));
    }
}

#[test]
fn a_message_without_a_name_or_a_place_is_not_understood() {
    for members in [
        json!({"id": ""}),
        json!({"channel_id": ""}),
        json!({"author": {"id": ""}}),
    ] {
        let refusal = changed(members).unwrap_err();
        assert!(matches!(refusal, Refusal::NotUnderstood(_)), "{refusal:?}");
    }
}

proptest! {
    #[test]
    fn any_text_can_be_read(content in r"(<@!?|>|1457469483726668048|\PC){0,20}") {
        let outcome = changed(json!({ "content": content }));
        prop_assert!(outcome.is_ok());
    }
}
