//! Updates of Telegram.

use proto_schemas::content::{ChannelKind, FileLocation};
use proto_schemas::dead_letter::Stage;
use proto_schemas::inbox::InboxEntry;
use serde_json::json;
use testkit::telegram::{command_update, in_album, photo_update, push_update, text_update};

use crate::fixture::{Fixture, HTTP, TALKATIVE, TELEGRAM, WEBHOOK_SECRET, only_received};

#[tokio::test]
async fn a_text_is_stored_and_answered_with_nothing() {
    let fixture = Fixture::start(&[]).await;
    let update = text_update(1, 7, 101, "Hello");
    for expected in ["accepted", "duplicate"] {
        let answer = fixture.update(&update).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.bytes().await.unwrap().is_empty());
        assert_eq!(fixture.requests("telegram", expected).await, 1);
    }
    let received = only_received(fixture.inbox().await);
    assert_eq!(
        (received.text.as_str(), received.channel),
        ("Hello", ChannelKind::Telegram)
    );
    assert_eq!(
        (received.address.chat_id.as_str(), received.user.id.as_str()),
        ("7", "7")
    );
}

#[tokio::test]
async fn what_is_said_in_a_group_to_others_is_answered_only_where_that_is_wanted() {
    let fixture = Fixture::start(&[]).await;
    let update = text_update(1, -1001, 101, "hello all");
    assert_eq!(fixture.update(&update).await.status(), 200);
    assert_eq!(fixture.inbox().await, []);
    assert_eq!(fixture.requests("telegram", "ignored").await, 1);
    assert_eq!(fixture.update_of(TALKATIVE, &update).await.status(), 200);
    assert_eq!(only_received(fixture.inbox().await).text, "hello all");
}

#[tokio::test]
async fn an_album_in_a_group_is_meant_for_the_bot_if_its_beginning_is() {
    let fixture = Fixture::start(&[]).await;
    let photo = |number: i64, caption: &str| photo_update(number, -1001, number, "AgAC-big", caption);
    for other in [in_album(photo(1, ""), "theirs"), in_album(photo(2, ""), "theirs")] {
        assert_eq!(fixture.update(&other).await.status(), 200);
    }
    assert_eq!(fixture.inbox().await, []);

    let mut asked = photo(3, "/compare these");
    asked["message"]["caption_entities"] = json!([{"type": "bot_command", "offset": 0, "length": 8}]);
    for part in [asked, photo(4, ""), photo(5, "")] {
        assert_eq!(fixture.update(&in_album(part, "ours")).await.status(), 200);
    }
    assert_eq!(
        fixture.update(&in_album(photo(6, ""), "theirs")).await.status(),
        200
    );
    assert_eq!(fixture.inbox().await.len(), 3);
}

#[tokio::test]
async fn a_photo_is_left_for_the_fetcher() {
    let fixture = Fixture::start(&[]).await;
    assert_eq!(
        fixture
            .update(&photo_update(1, 7, 101, "AgAC-big", "look"))
            .await
            .status(),
        200
    );
    let received = only_received(fixture.inbox().await);
    let expected = FileLocation::Platform {
        file_id: "AgAC-big".to_owned(),
    };
    assert_eq!(
        (received.text.as_str(), &received.files[0].location),
        ("look", &expected)
    );
}

#[tokio::test]
async fn a_reset_command_is_stored_as_a_reset() {
    let fixture = Fixture::start(&[]).await;
    assert_eq!(
        fixture
            .update(&command_update(1, 7, 101, "/reset"))
            .await
            .status(),
        200
    );
    let entries = fixture.inbox().await;
    assert!(matches!(entries[..], [InboxEntry::Reset(_)]), "{entries:?}");
}

#[tokio::test]
async fn what_is_not_answered_is_acknowledged_and_counted() {
    let fixture = Fixture::start(&[]).await;
    let update = json!({"update_id": 1, "poll": {"id": "1"}});
    assert_eq!(fixture.update(&update).await.status(), 200);
    assert_eq!(fixture.inbox().await, []);
    assert_eq!(fixture.dead_letters().await, []);
    assert_eq!(fixture.requests("telegram", "ignored").await, 1);
}

#[tokio::test]
async fn what_nobody_understands_is_kept_once_and_acknowledged() {
    let fixture = Fixture::start(&[]).await;
    let update = json!({"message": "no update"});
    for _ in 0..2 {
        assert_eq!(fixture.update(&update).await.status(), 200);
    }
    let letters = fixture.dead_letters().await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    let letter = &letters[0];
    assert_eq!(
        (letter.stage, letter.class.as_str()),
        (Stage::Ingress, "not_understood")
    );
    assert_eq!(letter.subject, format!("/v1/channels/{TELEGRAM}/updates"));
    let whole = serde_json::to_string(letter).unwrap();
    assert!(
        whole.contains("no update") && !whole.contains(WEBHOOK_SECRET),
        "{whole}"
    );
    assert_eq!(fixture.requests("telegram", "not_understood").await, 2);
    assert_eq!(
        fixture.buried("not_understood").await,
        1,
        "one letter, however often it is pushed"
    );
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_acknowledged() {
    let fixture = Fixture::start(&[]).await;
    fixture.nats.kill();
    assert_eq!(
        fixture.update(&json!({"message": "no update"})).await.status(),
        503
    );
}

#[tokio::test]
async fn a_wrong_secret_or_route_is_refused() {
    let fixture = Fixture::start(&[]).await;
    let update = text_update(1, 7, 101, "Hello");
    let push = async |connection: &str, secret: &str| {
        let url = format!("{}/v1/channels/{connection}/updates", fixture.url);
        push_update(&url, secret, &update)
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(push(TELEGRAM, "guess").await, 401);
    assert_eq!(push(HTTP, WEBHOOK_SECRET).await, 404);
    assert_eq!(fixture.inbox().await, []);
}
