//! Events, commands and buttons of Slack.

use proto_schemas::content::{ChannelKind, FileLocation};
use proto_schemas::dead_letter::Stage;
use proto_schemas::inbox::InboxEntry;
use serde_json::{Value, json};
use testkit::slack::{
    channel_message, command, direct_message, in_thread, mention_of, push_event, push_form, verification,
    with_file,
};

use crate::fixture::{Fixture, HTTP, SIGNING_SECRET, SLACK, body, only_received};

const CHANNEL: &str = "C00FAKECHAN1";
const ROOT: &str = "1766458026.240809";

fn question() -> Value {
    channel_message(CHANNEL, ROOT, "<@U00FAKEBOT01> is 1 &lt; 2?")
}

#[tokio::test]
async fn a_request_url_is_verified_by_its_challenge() {
    let fixture = Fixture::start(&[]).await;
    let answer = fixture.event(&verification("3eZbrw1a")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(body(answer).await, json!({"challenge": "3eZbrw1a"}));
    assert_eq!(fixture.requests("slack", "handshake").await, 1);
    assert_eq!(fixture.inbox().await, []);
}

#[tokio::test]
async fn a_message_and_its_mention_are_stored_once() {
    let fixture = Fixture::start(&[]).await;
    for (push, expected) in [(mention_of(&question()), "accepted"), (question(), "duplicate")] {
        let answer = fixture.event(&push).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.unwrap().is_empty());
        assert_eq!(fixture.requests("slack", expected).await, 1);
    }
    let received = only_received(fixture.inbox().await);
    assert_eq!(
        (received.text.as_str(), received.channel),
        ("is 1 < 2?", ChannelKind::Slack)
    );
    let address = received.address;
    assert_eq!(
        (address.chat_id.as_str(), address.thread_id.as_deref()),
        (CHANNEL, Some(ROOT))
    );
}

#[tokio::test]
async fn a_thread_is_listened_to_once_the_bot_takes_part_in_it() {
    let fixture = Fixture::start(&[]).await;
    let reply = |ts: &str| in_thread(channel_message(CHANNEL, ts, "and 2 &lt; 3?"), ROOT);
    assert_eq!(fixture.event(&reply("1766458027.000001")).await.status(), 200);
    assert_eq!(fixture.inbox().await, [], "nobody has asked the bot");
    fixture.event(&question()).await;
    fixture.event(&reply("1766458028.000001")).await;
    // Another replica has seen nothing of the thread itself.
    let another = format!("{}/v1/channels/{SLACK}/events", fixture.another().await);
    let answer = push_event(&another, SIGNING_SECRET, &reply("1766458029.000001")).await;
    assert_eq!(answer.unwrap().status(), 200);
    let stored = fixture.inbox().await;
    let conversations: Vec<_> = stored
        .iter()
        .map(|entry| match entry {
            InboxEntry::Received(received) => (received.text.as_str(), &received.conversation),
            InboxEntry::Reset(_) | InboxEntry::Attached(_) => panic!("{entry:?}"),
        })
        .collect();
    let conversation = conversations[0].1;
    let texts = ["is 1 < 2?", "and 2 < 3?", "and 2 < 3?"];
    assert_eq!(conversations, texts.map(|text| (text, conversation)));
    assert_eq!(fixture.requests("slack", "ignored").await, 1);
}

#[tokio::test]
async fn a_direct_message_is_answered_where_it_was_written_and_is_one_conversation() {
    let fixture = Fixture::start(&[]).await;
    let first = direct_message("D1", "1.1", "hello");
    let in_a_thread = in_thread(direct_message("D1", "1.2", "and here"), "1.1");
    for push in [&first, &in_a_thread] {
        assert_eq!(fixture.event(push).await.status(), 200);
    }
    let stored = fixture.inbox().await;
    let [InboxEntry::Received(first), InboxEntry::Received(second)] = &stored[..] else {
        panic!("{stored:?}")
    };
    assert_eq!(first.conversation, second.conversation);
    assert_eq!(
        (
            first.address.thread_id.as_deref(),
            second.address.thread_id.as_deref()
        ),
        (None, Some("1.1"))
    );
}

#[tokio::test]
async fn a_file_is_left_for_the_fetcher() {
    let fixture = Fixture::start(&[]).await;
    let push = with_file(
        direct_message("D1", "1.1", "look"),
        "F1",
        "cat.png",
        "image/png",
        6,
    );
    assert_eq!(fixture.event(&push).await.status(), 200);
    let received = only_received(fixture.inbox().await);
    let file = &received.files[0];
    let location = FileLocation::Platform {
        file_id: "F1".to_owned(),
    };
    assert_eq!((file.name.as_str(), &file.location), ("cat.png", &location));
}

#[tokio::test]
async fn a_command_is_stored_and_answered_with_nothing() {
    let fixture = Fixture::start(&[]).await;
    for (name, text) in [("/ask", "the time"), ("/reset", "")] {
        let fields = command("D1", name, text, &format!("1.2.{name}"));
        let answer = push_form(&fixture.slack_url(), SIGNING_SECRET, &fields)
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.unwrap().is_empty());
    }
    let stored = fixture.inbox().await;
    let [InboxEntry::Received(asked), InboxEntry::Reset(reset)] = &stored[..] else {
        panic!("{stored:?}")
    };
    assert_eq!(asked.text, "/ask the time");
    assert_eq!(asked.conversation, reset.conversation);
}

#[tokio::test]
async fn what_is_not_answered_is_acknowledged_and_counted() {
    let fixture = Fixture::start(&[]).await;
    let mut own = question();
    own["event"]["bot_id"] = "B1".into();
    let revoked = json!({"type": "event_callback", "event": {"type": "tokens_revoked", "tokens": {}}});
    let unaddressed = channel_message(CHANNEL, ROOT, "hello all");
    for push in [&own, &revoked, &unaddressed] {
        assert_eq!(fixture.event(push).await.status(), 200);
    }
    assert_eq!(fixture.inbox().await, []);
    assert_eq!(fixture.dead_letters().await, []);
    assert_eq!(fixture.requests("slack", "ignored").await, 3);
}

#[tokio::test]
async fn what_nobody_understands_is_kept_once_and_acknowledged() {
    let fixture = Fixture::start(&[]).await;
    for _ in 0..2 {
        assert_eq!(fixture.event(&json!({"event": "no push"})).await.status(), 200);
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
            format!("/v1/channels/{SLACK}/events").as_str()
        )
    );
    assert_eq!(fixture.requests("slack", "not_understood").await, 2);
}

#[tokio::test]
async fn a_wrong_signature_or_route_is_refused() {
    let fixture = Fixture::start(&[]).await;
    let push = async |connection: &str, secret: &str| {
        let url = format!("{}/v1/channels/{connection}/events", fixture.url);
        let answer = push_event(&url, secret, &verification("x")).await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(push(SLACK, "guess").await, 401);
    assert_eq!(push(HTTP, SIGNING_SECRET).await, 404);
    assert_eq!(fixture.inbox().await, []);
}
