//! Files in the broker's object store.

use bytes::Bytes;
use files::FileError;

use crate::fixture::{Fixture, MIB, content, store};

#[tokio::test]
async fn the_same_bytes_under_two_names_are_stored_once() {
    let fixture = Fixture::start().await;
    let files = fixture.in_broker();
    let bytes = Bytes::from_static(b"abc");
    let first = store(&files, "a.txt", &bytes).await;
    let stored_at = fixture.bus.file_info(&first.key).await.unwrap().stored_at;
    let second = store(&files, "b.txt", &bytes).await;
    assert_eq!(first.key, second.key);
    assert_eq!((first.name.as_str(), second.name.as_str()), ("a.txt", "b.txt"));
    assert_eq!((first.mime_type.as_str(), first.bytes), ("text/plain", 3));
    assert_eq!(files.read(&second.key, 3).await.unwrap(), bytes);
    let info = fixture.bus.file_info(&first.key).await.unwrap();
    assert_eq!(info.stored_at, stored_at, "it was not stored again");
}

#[tokio::test]
async fn a_part_is_cut_out_of_the_whole() {
    let fixture = Fixture::start().await;
    let files = fixture.in_broker();
    let file = store(&files, "a", &content(MIB)).await;
    assert_eq!(files.size(&file.key).await.unwrap(), MIB);
    let part = files.read_part(&file.key, 200_000..200_010, MIB).await.unwrap();
    assert_eq!(part, content(MIB).slice(200_000..200_010));
    let beyond = files.read_part(&file.key, 0..MIB + 1, MIB).await.unwrap_err();
    assert!(matches!(beyond, FileError::Incomplete), "{beyond}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_missing() {
    let fixture = Fixture::start().await;
    let files = fixture.in_broker();
    let error = files.read("sha256/none", MIB).await.unwrap_err();
    assert!(
        matches!(&error, FileError::Missing { key } if key == "sha256/none"),
        "{error}"
    );
    assert!(matches!(
        files.size("sha256/none").await,
        Err(FileError::Missing { .. })
    ));
}
