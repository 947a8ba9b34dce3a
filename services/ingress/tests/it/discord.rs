//! Interactions and events of Discord.

use proto_schemas::content::{ChannelKind, FileLocation};
use proto_schemas::dead_letter::Stage;
use proto_schemas::inbox::InboxEntry;
use serde_json::{Value, json};
use testkit::discord::{
    command, event, in_direct_messages, ping, press, push_forged, push_interaction, with_file,
};

use crate::fixture::{DISCORD, Fixture, SLACK, body, only_received};

const CHANNEL: &str = "1457510428359004343";

fn asked(id: &str, prompt: &str) -> Value {
    command(CHANNEL, id, &format!("token-{id}"), "ask", &[("prompt", prompt)])
}

#[tokio::test]
async fn a_ping_is_answered_and_nothing_is_stored() {
    let fixture = Fixture::start(&[]).await;
    let answer = fixture.interaction(&ping()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(body(answer).await, json!({"type": 1}));
    assert_eq!(fixture.requests("discord", "handshake").await, 1);
    assert_eq!(fixture.inbox().await, []);
}

#[tokio::test]
async fn a_wrong_signature_or_route_is_refused_and_nothing_is_stored() {
    let fixture = Fixture::start(&[]).await;
    for push in [ping(), asked("1", "hi")] {
        let answer = push_forged(&fixture.discord_url(), &push).await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    let unsigned = testkit::client::client().post(fixture.discord_url());
    let answer = unsigned.body(ping().to_string()).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let elsewhere = format!("{}/v1/channels/{SLACK}/interactions", fixture.url);
    let answer = push_interaction(&elsewhere, &ping()).await.unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(fixture.inbox().await, []);
    assert_eq!(fixture.dead_letters().await, []);
    assert_eq!(fixture.requests("discord", "unauthorized").await, 3);
}

#[tokio::test]
async fn a_command_is_stored_once_and_each_time_told_that_the_bot_thinks() {
    let fixture = Fixture::start(&[]).await;
    for expected in ["accepted", "duplicate"] {
        let answer = fixture.interaction(&asked("1", "is 1 < 2?")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(body(answer).await, json!({"type": 5}));
        assert_eq!(fixture.requests("discord", expected).await, 1);
    }
    let received = only_received(fixture.inbox().await);
    assert_eq!(
        (received.text.as_str(), received.channel),
        ("is 1 < 2?", ChannelKind::Discord)
    );
    let address = received.address;
    assert_eq!((address.chat_id.as_str(), address.message_id), (CHANNEL, None));
    let interaction = address.interaction.unwrap();
    assert_eq!(interaction.token, "token-1");
    let open = interaction.expires_at.since(received.accepted_at);
    assert!((890..=900).contains(&open.as_secs()), "{open:?}");
}

#[tokio::test]
async fn a_press_is_a_message_and_its_message_stays_as_it_is() {
    let fixture = Fixture::start(&[]).await;
    let answer = fixture
        .interaction(&press(CHANNEL, "2", "t", "ok:42", "99"))
        .await;
    assert_eq!(body(answer).await, json!({"type": 6}));
    let received = only_received(fixture.inbox().await);
    assert_eq!(received.text, "ok:42");
    assert_eq!(received.address.message_id.as_deref(), Some("99"));
}

#[tokio::test]
async fn a_channel_is_a_conversation_and_reset_ends_what_was_said_in_it() {
    let fixture = Fixture::start(&[]).await;
    fixture.interaction(&asked("1", "hello")).await;
    let answer = fixture
        .interaction(&command(CHANNEL, "2", "t", "reset", &[]))
        .await;
    assert_eq!(body(answer).await, json!({"type": 5}));
    let elsewhere = in_direct_messages(command("D1", "3", "t", "ask", &[("prompt", "hello")]));
    fixture.interaction(&elsewhere).await;
    let stored = fixture.inbox().await;
    let [
        InboxEntry::Received(asked),
        InboxEntry::Reset(reset),
        InboxEntry::Received(direct),
    ] = &stored[..]
    else {
        panic!("{stored:?}")
    };
    assert_eq!(asked.conversation, reset.conversation);
    assert_ne!(asked.conversation, direct.conversation);
}

#[tokio::test]
async fn a_file_is_left_for_the_fetcher() {
    let fixture = Fixture::start(&[]).await;
    let url = "https://cdn.discordapp.com/ephemeral-attachments/1/2/cat.png?ex=ffffffff&is=1&hm=2";
    let push = with_file(asked("1", "look"), url, "cat.png", "image/png", 6);
    assert_eq!(fixture.interaction(&push).await.status(), 200);
    let received = only_received(fixture.inbox().await);
    let file = &received.files[0];
    let location = FileLocation::Url { url: url.to_owned() };
    assert_eq!(
        (file.name.as_str(), file.bytes, &file.location),
        ("cat.png", Some(6), &location)
    );
}

#[tokio::test]
async fn suggestions_are_answered_with_none_and_nothing_is_stored() {
    let fixture = Fixture::start(&[]).await;
    let mut typing = asked("1", "th");
    typing["type"] = 4.into();
    let answer = fixture.interaction(&typing).await;
    assert_eq!(body(answer).await, json!({"type": 8, "data": {"choices": []}}));
    assert_eq!(fixture.inbox().await, []);
}

#[tokio::test]
async fn events_of_the_application_are_acknowledged_and_counted() {
    let fixture = Fixture::start(&[]).await;
    for push in [
        event(None),
        event(Some("APPLICATION_DEAUTHORIZED")),
        event(Some("ENTITLEMENT_CREATE")),
    ] {
        let answer = fixture.interaction(&push).await;
        assert_eq!(answer.status(), 204);
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    assert_eq!(fixture.inbox().await, []);
    assert_eq!(fixture.dead_letters().await, []);
    assert_eq!(fixture.requests("discord", "ignored").await, 3);
}

#[tokio::test]
async fn what_nobody_understands_is_kept_once_and_acknowledged() {
    let fixture = Fixture::start(&[]).await;
    for _ in 0..2 {
        let answer = fixture.interaction(&json!({"type": 2, "id": "1"})).await;
        assert_eq!(answer.status(), 204);
    }
    let letters = fixture.dead_letters().await;
    let [letter] = &letters[..] else {
        panic!("{letters:?}")
    };
    assert_eq!(
        (letter.stage, letter.class.as_str(), letter.subject.as_str()),
        (
            Stage::Ingress,
            "not_understood",
            format!("/v1/channels/{DISCORD}/interactions").as_str()
        )
    );
    assert_eq!(fixture.requests("discord", "not_understood").await, 2);
}
