//! Files of users.

use bus::Outgoing;
use domain::files::content_key;
use proto_schemas::content::{FileLocation, IncomingFile, StoredFile};
use proto_schemas::dead_letter::Stage;
use proto_schemas::fetch::Fetch;
use proto_schemas::wire::{MESSAGE_TYPE, Wire};

use crate::fixture::{Fixture, HTTP, TELEGRAM, fetch_in, on_platform, reason, source, stored};

/// A picture, to whoever looks at its first bytes.
const PIXELS: &[u8] = b"\xff\xd8\xff\xe0pixels";

#[tokio::test]
async fn a_photo_of_telegram_is_attached_and_served_at_its_link() {
    let fixture = Fixture::start(&[]).await;
    fixture.telegram.add_file("AgAC-big", PIXELS);
    let mut photo = on_platform("photo.jpg", "AgAC-big");
    photo.mime_type = Some("image/jpeg".to_owned());
    let files = fixture.fetch_in(TELEGRAM, vec![photo]).await;
    let file = stored(&files[0]);
    assert_eq!(
        (file.name.as_str(), file.mime_type.as_str(), file.bytes),
        ("photo.jpg", "image/jpeg", 10)
    );
    assert_eq!(file.key, content_key(PIXELS));

    let served = fixture.get(file).await;
    assert_eq!(
        (served.status().as_u16(), &served.headers()["content-type"]),
        (200, &"image/jpeg".parse().unwrap())
    );
    assert_eq!(served.bytes().await.unwrap(), PIXELS);
    let labels = "direction=\"in\",result=\"stored\",service=\"attachment-fetcher\"";
    assert_eq!(
        fixture
            .metric(&format!("chatbot_files_fetched_total{{{labels}}}"))
            .await,
        1
    );
    let labels = "direction=\"in\",service=\"attachment-fetcher\"";
    assert_eq!(
        fixture
            .metric(&format!("chatbot_attachment_bytes_total{{{labels}}}"))
            .await,
        10
    );
}

#[tokio::test]
async fn files_of_the_http_channel_keep_their_order_whatever_became_of_them() {
    let fixture = Fixture::start(&[("MAX_FILE_BYTES", "1024")]).await;
    let at_url = |name: &str, url: String| source(name, FileLocation::Url { url });
    let there = StoredFile {
        key: "conv_1/msg_1_a/0/photo.jpg".to_owned(),
        name: "there.txt".to_owned(),
        mime_type: "text/plain".to_owned(),
        bytes: 1,
    };
    let files = fixture.fetch_in(
        HTTP,
        vec![
            source("there.txt", FileLocation::Stored(there.clone())),
            at_url("gone.txt", fixture.host.url("gone.txt")),
            at_url(
                "../a.csv",
                fixture.host.add("a.csv", "text/csv", vec![b'x'; 1024]),
            ),
            at_url(
                "large.bin",
                fixture.host.add("large.bin", "text/csv", vec![b'x'; 1025]),
            ),
            at_url("inside.txt", "https://10.0.0.1/inside.txt".to_owned()),
            on_platform("elsewhere.txt", "1"),
        ],
    );
    let files = files.await;
    assert_eq!(files[0], IncomingFile::Stored(there));
    let reasons: Vec<_> = [1, 3, 4, 5]
        .into_iter()
        .map(|index| reason(&files[index]))
        .collect();
    assert_eq!(reasons[0], "HTTP 404");
    assert!(reasons[1].contains("larger than 1024 bytes"), "{reasons:?}");
    assert!(reasons[2].contains("not publicly routable"), "{reasons:?}");
    assert!(reasons[3].contains("can fetch from"), "{reasons:?}");
    let csv = stored(&files[2]);
    assert_eq!(
        (csv.name.as_str(), csv.mime_type.as_str(), csv.bytes),
        ("a.csv", "text/csv", 1024)
    );
    let labels = "direction=\"in\",result=\"unavailable\",service=\"attachment-fetcher\"";
    assert_eq!(
        fixture
            .metric(&format!("chatbot_files_fetched_total{{{labels}}}"))
            .await,
        4
    );
}

#[tokio::test]
async fn a_file_that_telegram_does_not_know_is_unavailable() {
    let fixture = Fixture::start(&[]).await;
    let files = fixture
        .fetch_in(TELEGRAM, vec![on_platform("photo.jpg", "unknown")])
        .await;
    let reason = reason(&files[0]);
    assert!(
        reason.contains("invalid file_id") && !reason.contains("123456:ABC"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_hiccup_is_tried_again_without_fetching_the_rest_twice() {
    let fixture = Fixture::start(&[]).await;
    fixture.telegram.add_file("one", "1");
    fixture.telegram.add_file("two", "22");
    fixture.telegram.fail_next("file", 502, "Bad Gateway", None);
    let files = vec![on_platform("one.txt", "one"), on_platform("two.txt", "two")];
    let files = fixture.fetch_in(TELEGRAM, files).await;
    assert_eq!((stored(&files[0]).bytes, stored(&files[1]).bytes), (1, 2));
    assert_eq!(fixture.telegram.calls("file"), 3);
    let labels = "direction=\"in\",result=\"retried\",service=\"attachment-fetcher\"";
    assert_eq!(
        fixture
            .metric(&format!("chatbot_files_fetched_total{{{labels}}}"))
            .await,
        1
    );
}

#[tokio::test]
async fn the_same_fetch_again_is_attached_once() {
    let fixture = Fixture::start(&[]).await;
    fixture.telegram.add_file("one", "1");
    let fetch = fetch_in(TELEGRAM, vec![on_platform("one.txt", "one")]);
    for _ in 0..2 {
        fixture.request(&fetch).await;
        fixture.settled().await;
    }
    assert_eq!(fixture.telegram.calls("file"), 2, "both were handled");
    assert_eq!(fixture.attached().await.len(), 1);
}

#[tokio::test]
async fn a_fetch_that_nobody_can_read_ends_as_a_dead_letter() {
    let fixture = Fixture::start(&[]).await;
    let headers = vec![(MESSAGE_TYPE.to_owned(), Fetch::TYPE.to_owned())];
    let message = Outgoing::raw("fetches.in.msg_1".to_owned(), "nonsense".into(), "1", headers);
    fixture.bus.publish(message).await.unwrap();
    let letter = fixture.dead_letter().await;
    assert_eq!(
        (letter.stage, letter.class.as_str()),
        (Stage::AttachmentFetcher, "undecodable")
    );
    fixture.settled().await;
}
