//! Files in S3.

use proto_schemas::content::StoredFile;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};
use testkit::s3::{FakeS3, borrowed};

use crate::fixture::{Fixture, TELEGRAM, fetch_in, on_platform, stored};

async fn start(s3: &FakeS3) -> Fixture {
    Fixture::start(&borrowed(&s3.settings())).await
}

/// A user's file, brought in.
async fn bring(fixture: &Fixture, content: &'static str) -> StoredFile {
    fixture.telegram.add_file("one", content);
    let files = fixture
        .fetch_in(TELEGRAM, vec![on_platform("one.txt", "one")])
        .await;
    stored(&files[0]).clone()
}

#[tokio::test]
async fn a_file_goes_to_the_bucket_and_is_served_from_there_in_parts_too() {
    let s3 = FakeS3::start().await;
    let fixture = start(&s3).await;
    let file = bring(&fixture, "content").await;
    assert_eq!(s3.keys(), [file.key.as_str()]);
    assert_eq!(fixture.get(&file).await.text().await.unwrap(), "content");
    let asked = client()
        .get(fixture.links.link(&file))
        .header("range", "bytes=-4");
    let part = asked.send().await.unwrap();
    assert_eq!(
        (part.status().as_u16(), &part.headers()["content-range"]),
        (206, &"bytes 3-6/7".parse().unwrap())
    );
    assert_eq!(part.text().await.unwrap(), "tent");
}

#[tokio::test]
async fn while_the_bucket_is_away_a_fetch_waits_and_nothing_is_lost() {
    let s3 = FakeS3::start().await;
    let fixture = start(&s3).await;
    fixture.telegram.add_file("one", "1");
    s3.break_down(503, "SlowDown");
    let fetch = fetch_in(TELEGRAM, vec![on_platform("one.txt", "one")]);
    fixture.request(&fetch).await;
    let labels = "direction=\"in\",result=\"retried\",service=\"attachment-fetcher\"";
    let retried = format!("chatbot_files_fetched_total{{{labels}}}");
    wait_until(PATIENCE, "the fetch to be put off", async || {
        fixture.metric(&retried).await > 0
    })
    .await;
    assert!(fixture.attached().await.is_empty());
    s3.recover();
    fixture.settled().await;
    let attached = fixture.attached().await;
    let file = stored(&attached[0][0]);
    assert_eq!(fixture.get(file).await.text().await.unwrap(), "1");
}

#[tokio::test]
async fn a_file_that_is_gone_is_not_found_and_one_that_cannot_be_had_comes_later() {
    let s3 = FakeS3::start().await;
    let fixture = start(&s3).await;
    let file = bring(&fixture, "content").await;
    s3.break_down(503, "SlowDown");
    let away = fixture.get(&file).await;
    assert_eq!(
        (away.status().as_u16(), &away.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    s3.recover();
    s3.remove(&file.key);
    assert_eq!(fixture.get(&file).await.status(), 404);
}
