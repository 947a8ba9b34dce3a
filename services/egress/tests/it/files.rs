//! Replies with files: awaited, then sent as bytes or as links.

use bytes::Bytes;
use domain::files::content_key;
use proto_schemas::content::StoredFile;
use proto_schemas::delivery::Delivery;
use proto_schemas::progress::{FilesProgress, OutgoingFile};
use proto_schemas::subjects;
use proto_schemas::transcript::Receipt;
use testkit::condition::{PATIENCE, wait_until};
use testkit::s3::{FakeS3, borrowed};

use crate::samples::{CHAT, attachment, over_http, over_telegram, stored, with_file};
use crate::world::{FILES_URL, World};

const CONTENT: &[u8] = b"%PDF-1.7";

async fn tell(world: &World, delivery: &Delivery, file: OutgoingFile) {
    let key = subjects::files_progress(&delivery.conclusion.turn);
    world.keep(&key, &FilesProgress { files: vec![file] }).await;
}

async fn store(world: &World) -> OutgoingFile {
    let file = stored(CONTENT.len());
    world
        .bus
        .store_file(&file.key, &Bytes::from_static(CONTENT))
        .await
        .unwrap();
    OutgoingFile::Stored(file)
}

fn unavailable() -> OutgoingFile {
    OutgoingFile::Unavailable {
        attachment: attachment(),
        reason: "HTTP 404".to_owned(),
    }
}

#[tokio::test]
async fn a_reply_waits_for_its_files_and_then_goes_with_them() {
    let world = World::started().await;
    let delivery = with_file(over_telegram("a", "The report"));
    world.offer(&delivery).await;
    wait_until(PATIENCE, "the reply to be put off", async || {
        world.outcomes("retry").await >= 1
    })
    .await;
    assert!(world.telegram.sent().is_empty());
    assert!(!world.is_gone(&delivery).await);

    let file = store(&world).await;
    tell(&world, &delivery, file).await;
    world.conclude(&delivery).await;
    let sent = world.telegram.sent_to(CHAT);
    assert_eq!((sent.len(), sent[0].text.as_str()), (2, "The report"));
    let file = sent[1].file.as_ref().unwrap();
    assert_eq!((file.name.as_str(), &file.bytes[..]), ("report.pdf", CONTENT));
}

#[tokio::test]
async fn the_callback_is_given_signed_links() {
    let world = World::started().await;
    let delivery = with_file(over_http("a", "The report"));
    let file = store(&world).await;
    tell(&world, &delivery, file).await;
    world.offer(&delivery).await;
    world.conclude(&delivery).await;
    let body = world.callback.received()[0].body.clone();
    let link = &body["attachments"][0];
    let url = link["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("{FILES_URL}/out/report?type=application/pdf&expires=")),
        "{url}"
    );
    assert_eq!(
        (&link["name"], &link["size"]),
        (&"report.pdf".into(), &CONTENT.len().into())
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_had_becomes_a_link_to_where_it_was() {
    let world = World::started().await;
    let (tg, web) = (
        with_file(over_telegram("tg", "The report")),
        with_file(over_http("web", "")),
    );
    for delivery in [&tg, &web] {
        tell(&world, delivery, unavailable()).await;
        world.offer(delivery).await;
        world.conclude(delivery).await;
    }
    let sent = world.telegram.sent_to(CHAT);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].text,
        "The report\n\nFile: report.pdf https://files.example/report.pdf"
    );
    let body = &world.callback.received()[0].body;
    assert_eq!(body["attachments"][0]["url"], "https://files.example/report.pdf");
}

#[tokio::test]
async fn a_file_that_is_gone_from_the_store_is_given_up() {
    let world = World::started().await;
    let delivery = with_file(over_telegram("a", "The report"));
    tell(&world, &delivery, OutgoingFile::Stored(stored(CONTENT.len()))).await;
    world.offer(&delivery).await;
    let written = world.conclude(&delivery).await;
    assert_eq!(
        written.receipt,
        Receipt::Undeliverable {
            class: "file_gone".to_owned()
        }
    );
    assert_eq!(world.dead_letters().await[0].class, "file_gone");
}

#[tokio::test]
async fn while_the_bucket_is_away_a_file_is_waited_for() {
    let (mut world, s3) = (World::new().await, FakeS3::start().await);
    world.start(&borrowed(&s3.settings())).await;
    let file = StoredFile {
        key: content_key(CONTENT),
        ..stored(CONTENT.len())
    };
    s3.add(&file.key, CONTENT);
    s3.break_down(503, "SlowDown");
    let delivery = with_file(over_telegram("a", ""));
    tell(&world, &delivery, OutgoingFile::Stored(file)).await;
    world.offer(&delivery).await;
    wait_until(PATIENCE, "the bucket to be asked", async || s3.calls("GET") > 0).await;
    s3.recover();
    world.conclude(&delivery).await;
    let sent = world.telegram.sent_to(CHAT);
    let document = sent.iter().find_map(|message| message.file.as_ref());
    assert_eq!(document.unwrap().bytes, CONTENT);
    assert!(world.dead_letters().await.is_empty());
}
