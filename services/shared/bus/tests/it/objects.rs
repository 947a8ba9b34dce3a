//! Files.

use bus::ObjectError;
use bytes::Bytes;

use crate::broker::Broker;

/// The size of the pieces in which a file is stored.
const CHUNK: usize = 128 * 1024;
const MIB: usize = 1 << 20;

/// Bytes that differ from piece to piece, so that pieces in a wrong order are seen.
fn content(size: usize) -> Bytes {
    (0..size)
        .map(|at| u8::try_from((at / 1000 + at) % 251).unwrap())
        .collect()
}

#[tokio::test]
async fn files_of_every_size_come_back_as_they_were() {
    let broker = Broker::start().await;
    for size in [
        0,
        1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        8 * CHUNK,
        8 * CHUNK + 1,
        3 * MIB,
    ] {
        let (key, bytes) = (format!("in/{size}"), content(size));
        broker.bus.store_file(&key, &bytes).await.unwrap();
        let file = broker.bus.file(&key, size).await.unwrap();
        assert_eq!(file.len(), size);
        assert!(file == bytes, "a file of {size} bytes has changed");
        assert_eq!(broker.bus.file_info(&key).await.unwrap().bytes, size);
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_missing() {
    let broker = Broker::start().await;
    let error = broker.bus.file("in/none", MIB).await.unwrap_err();
    assert!(
        matches!(&error, ObjectError::Missing { key } if key == "in/none"),
        "{error}"
    );
}

#[tokio::test]
async fn of_a_file_that_is_removed_nothing_is_left() {
    let broker = Broker::start().await;
    broker.bus.store_file("a", &content(3 * CHUNK)).await.unwrap();
    broker.bus.store_file("b", &content(2 * CHUNK)).await.unwrap();
    assert!(broker.bus.remove_file("a").await.unwrap());
    assert!(!broker.bus.remove_file("a").await.unwrap());
    let holdings = broker.bus.holdings("OBJ_attachments").await.unwrap();
    assert_eq!(
        holdings.messages, 3,
        "the description and the two pieces of the other"
    );
    assert!(broker.bus.file("b", MIB).await.unwrap() == content(2 * CHUNK));
}

#[tokio::test]
async fn a_file_larger_than_the_reader_takes_is_not_read() {
    let broker = Broker::start().await;
    broker.bus.store_file("a", &content(CHUNK + 1)).await.unwrap();
    let error = broker.bus.file("a", CHUNK).await.unwrap_err();
    assert!(
        matches!(error, ObjectError::TooLarge { bytes, most } if (bytes, most) == (CHUNK + 1, CHUNK)),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_stored_again_takes_the_place_of_the_first() {
    let broker = Broker::start().await;
    broker.bus.store_file("a", &content(3 * CHUNK)).await.unwrap();
    broker.bus.store_file("a", &content(10)).await.unwrap();
    let file = broker.bus.file("a", MIB).await.unwrap();
    assert_eq!(file, content(10));
}

#[tokio::test]
async fn keys_are_names_of_any_form() {
    let broker = Broker::start().await;
    for key in ["in/msg_1/a b.png", "é/*/>", "a.b.c"] {
        broker.bus.store_file(key, &content(5)).await.unwrap();
        assert_eq!(broker.bus.file(key, 5).await.unwrap(), content(5), "{key}");
    }
}
