//! Files in S3.

use std::time::Duration;

use bytes::Bytes;
use domain::files::content_key;
use files::{FileError, Files};

use testkit::s3::FakeS3;

use crate::fixture::{Fixture, MIB, PREFIX, content, store};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a file lies in the bucket.
fn place(key: &str) -> String {
    format!("{PREFIX}/{key}")
}

async fn unavailable(files: &Files) -> String {
    match files.read(&content_key(b"abc"), MIB).await.unwrap_err() {
        FileError::Unavailable(text) => text,
        error @ (FileError::Missing { .. } | FileError::TooLarge { .. } | FileError::Incomplete) => {
            panic!("{error}")
        }
    }
}

#[tokio::test]
async fn files_of_every_size_come_back_as_they_were() {
    let fixture = Fixture::start().await;
    let files = fixture.in_s3();
    for size in [0, 1, 1000, 3 * MIB] {
        let file = store(&files, "a", &content(size)).await;
        assert!(fixture.s3.keys().contains(&place(&file.key)), "{size}");
        let bytes = files.read(&file.key, size).await.unwrap();
        assert!(bytes == content(size), "a file of {size} bytes has changed");
        assert_eq!(files.size(&file.key).await.unwrap(), size);
    }
}

#[tokio::test]
async fn the_same_bytes_under_two_names_are_stored_once() {
    let fixture = Fixture::start().await;
    let files = fixture.in_s3();
    let bytes = Bytes::from_static(b"abc");
    let first = store(&files, "a.txt", &bytes).await;
    let second = store(&files, "b.txt", &bytes).await;
    assert_eq!((&first.key, second.name.as_str()), (&second.key, "b.txt"));
    assert_eq!((fixture.s3.calls("PUT"), fixture.s3.keys().len()), (1, 1));
}

#[tokio::test]
async fn a_file_that_was_stored_a_day_ago_is_stored_again() {
    let fixture = Fixture::start().await;
    let files = fixture.in_s3();
    let bytes = Bytes::from_static(b"abc");
    let file = store(&files, "a", &bytes).await;
    let minute = Duration::from_secs(60);
    fixture.s3.age(&place(&file.key), DAY - minute);
    store(&files, "a", &bytes).await;
    assert_eq!(fixture.s3.calls("PUT"), 1);
    fixture.s3.age(&place(&file.key), minute);
    store(&files, "a", &bytes).await;
    assert_eq!(fixture.s3.calls("PUT"), 2);
    store(&files, "a", &bytes).await;
    assert_eq!(fixture.s3.calls("PUT"), 2, "it is young again");
}

#[tokio::test]
async fn a_part_is_all_that_is_read_of_a_file() {
    let fixture = Fixture::start().await;
    let files = fixture.in_s3();
    let file = store(&files, "a", &content(MIB)).await;
    // Far less than the file has, so reading all of it would fail.
    let part = files.read_part(&file.key, 200_000..200_010, 10).await.unwrap();
    assert_eq!(part, content(MIB).slice(200_000..200_010));
}

#[tokio::test]
async fn a_file_larger_than_the_reader_takes_is_not_read() {
    let fixture = Fixture::start().await;
    let files = fixture.in_s3();
    let file = store(&files, "a", &content(1001)).await;
    let error = files.read(&file.key, 1000).await.unwrap_err();
    assert!(
        matches!(error, FileError::TooLarge { bytes, most } if (bytes, most) == (1001, 1000)),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_is_gone_is_missing() {
    let fixture = Fixture::start().await;
    let files = fixture.in_s3();
    let file = store(&files, "a", &content(10)).await;
    fixture.s3.remove(&place(&file.key));
    for error in [
        files.read(&file.key, MIB).await.unwrap_err(),
        files.read_part(&file.key, 0..1, MIB).await.unwrap_err(),
        files.size(&file.key).await.unwrap_err(),
    ] {
        assert!(matches!(error, FileError::Missing { .. }), "{error}");
    }
}

#[tokio::test]
async fn what_the_broker_holds_from_before_is_still_read() {
    let fixture = Fixture::start().await;
    let before = store(&fixture.in_broker(), "a", &content(10)).await;
    let older = "conv_1/msg_1/0/a.png";
    fixture.bus.store_file(older, &content(20)).await.unwrap();
    let files = fixture.in_s3();
    assert_eq!(files.read(&before.key, MIB).await.unwrap(), content(10));
    assert_eq!(files.size(&before.key).await.unwrap(), 10);
    assert_eq!(files.read(older, MIB).await.unwrap(), content(20));
    assert_eq!(
        files.read_part(older, 3..5, MIB).await.unwrap(),
        content(20).slice(3..5)
    );
}

#[tokio::test]
async fn a_store_that_asks_to_slow_down_is_asked_again() {
    let fixture = Fixture::start().await;
    let files = fixture.in_s3();
    fixture.s3.fail_next(503, "SlowDown");
    fixture.s3.fail_next(500, "InternalError");
    let file = store(&files, "a", &content(10)).await;
    assert_eq!(fixture.s3.calls("HEAD"), 3);
    assert_eq!(files.read(&file.key, MIB).await.unwrap(), content(10));
}

#[tokio::test]
async fn while_the_store_is_away_nothing_is_taken_for_missing() {
    let fixture = Fixture::start().await;
    let files = fixture.in_s3();
    let file = store(&files, "a", &Bytes::from_static(b"abc")).await;
    fixture.s3.break_down(503, "SlowDown");
    assert_eq!(
        unavailable(&files).await,
        "the file store cannot do it now (SlowDown)"
    );
    assert_eq!(fixture.s3.calls("GET"), 3, "it is asked twice more and then left");
    let bytes = content(5);
    let stored = files.store("b".to_owned(), "text/plain".to_owned(), &bytes);
    assert!(matches!(stored.await, Err(FileError::Unavailable(_))));
    fixture.s3.recover();
    assert_eq!(files.read(&file.key, MIB).await.unwrap(), "abc");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named_as_the_cause() {
    let fixture = Fixture::start().await;
    let nowhere = [("FILES_S3_ENDPOINT", "http://127.0.0.1:9")];
    let files = fixture.configured(&nowhere);
    let text = unavailable(&files).await;
    assert!(text.starts_with("the file store cannot be reached: "), "{text}");
    assert!(!text.contains("sha256"), "{text}");
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_left_in_time() {
    let fixture = Fixture::start().await;
    let files = fixture.configured(&[("FILES_S3_TIMEOUT", "1s")]);
    let gate = fixture.s3.hold();
    assert_eq!(
        unavailable(&files).await,
        "the file store took too long to answer"
    );
    gate.release();
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_no_missing_file() {
    let fixture = Fixture::start().await;
    let files = fixture.configured(&[("FILES_S3_BUCKET", "another")]);
    assert_eq!(
        unavailable(&files).await,
        "the file store cannot do it now (NoSuchBucket)"
    );
    let bytes = content(5);
    let stored = files.store("a".to_owned(), "text/plain".to_owned(), &bytes);
    assert!(matches!(stored.await, Err(FileError::Unavailable(_))));
}

#[tokio::test]
async fn a_server_with_a_certificate_of_its_own_is_trusted_where_that_is_configured() {
    let fixture = Fixture::beside(FakeS3::start_with_tls().await).await;
    let files = fixture.in_s3();
    let file = store(&files, "a", &content(10)).await;
    assert_eq!(files.read(&file.key, MIB).await.unwrap(), content(10));
    let distrustful = fixture.configured(&[("FILES_S3_CA_FILE", "")]);
    let text = unavailable(&distrustful).await;
    assert!(text.contains("certificate"), "{text}");
}
