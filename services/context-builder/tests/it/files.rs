//! A message with files: fetched first, asked with them.

use proto_schemas::content::{FileLocation, FileSource, IncomingFile, StoredFile};
use proto_schemas::fetch::Fetch;
use proto_schemas::inbox::{Attached, InboxEntry, Received};
use proto_schemas::subjects;
use proto_schemas::topology::{FETCHES, INBOX_EVENTS};
use proto_schemas::turn::{Task, Turn};
use serde_json::json;
use testkit::condition::{PATIENCE, wait_for, wait_until};

use crate::samples::{message, received, text};
use crate::world::World;

fn with_file(number: usize, location: FileLocation) -> Received {
    let source = FileSource {
        name: "cat.png".to_owned(),
        mime_type: None,
        bytes: None,
        location,
    };
    Received {
        files: vec![source],
        ..received(number)
    }
}

fn stored() -> StoredFile {
    StoredFile {
        key: "in/cat".to_owned(),
        name: "cat.png".to_owned(),
        mime_type: "image/png".to_owned(),
        bytes: 3,
    }
}

fn files_of(turn: &Turn) -> &[IncomingFile] {
    match &turn.task {
        Task::Ask { question, .. } => &question[0].files,
        Task::Reset { .. } => panic!("{turn:?}"),
    }
}

#[tokio::test]
async fn a_file_on_the_platform_is_fetched_before_it_is_asked_about() {
    let world = World::started(json!({})).await;
    let received = with_file(
        1,
        FileLocation::Platform {
            file_id: "f1".to_owned(),
        },
    );
    world.append(&InboxEntry::Received(received.clone())).await;
    let fetch = wait_for(PATIENCE, "the fetch", async || {
        world.slot(FETCHES.name, &subjects::fetch_in(&message(1))).await
    })
    .await;
    let Fetch::In {
        message_id,
        connection,
        files,
        ..
    } = fetch.decode().unwrap()
    else {
        panic!("{fetch:?}")
    };
    assert_eq!(
        (message_id, connection, files),
        (message(1), received.connection, received.files)
    );
    wait_until(PATIENCE, "the message to be put off", async || {
        world.outcomes("retry").await >= 1
    })
    .await;
    assert_eq!((world.turn().await, world.parked().await), (None, 1));

    let files = vec![IncomingFile::Stored(stored())];
    world
        .append(&InboxEntry::Attached(Attached {
            message_id: message(1),
            files: files.clone(),
            album: None,
        }))
        .await;
    let (_, turn) = world.caller().await.next().await;
    assert_eq!(files_of(&turn), files);
    world.wait_until_settled(&INBOX_EVENTS).await;
}

#[tokio::test]
async fn a_file_that_is_stored_already_is_asked_about_at_once() {
    let world = World::started(json!({})).await;
    world
        .append(&InboxEntry::Received(with_file(
            1,
            FileLocation::Stored(stored()),
        )))
        .await;
    let (_, turn) = world.caller().await.next().await;
    assert_eq!(files_of(&turn), [IncomingFile::Stored(stored())]);
    assert_eq!(world.count("decisions_total", "decision", "fetch").await, 0);
}

#[tokio::test]
async fn files_that_came_in_behind_a_long_backlog_are_found() {
    // More than what one look at a conversation reads.
    const BACKLOG: usize = 1100;
    let mut world = World::new().await;
    world.configure(json!({})).await;
    let received = with_file(
        1,
        FileLocation::Platform {
            file_id: "f1".to_owned(),
        },
    );
    world.append(&InboxEntry::Received(received)).await;
    for number in 2..=BACKLOG {
        world.append(&text(number)).await;
    }
    // Only the event of the files is to be handled.
    world.drop_inbox_events(BACKLOG).await;
    let files = vec![IncomingFile::Stored(stored())];
    world
        .append(&InboxEntry::Attached(Attached {
            message_id: message(1),
            files: files.clone(),
            album: None,
        }))
        .await;
    world.start().await;
    let (_, turn) = world.caller().await.next().await;
    assert_eq!(
        (turn.answers.as_slice(), files_of(&turn)),
        (&[message(1)][..], &files[..])
    );
    assert_eq!(world.count("decisions_total", "decision", "fetch").await, 0);
}
