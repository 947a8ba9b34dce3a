//! Too much at once, too much of one, and a broker that is away.

use futures_util::future::join_all;
use proto_schemas::topology::INBOX;
use proto_schemas::wire::PREDECESSOR;
use testkit::callback::{push_with_id, text_message};
use testkit::condition::{PATIENCE, wait_until};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::fixture::{Fixture, HTTP, body, retry_after};

/// So many at once that they would have to be spread over as many seconds to pass a limit of one per second.
const FLOOD: usize = 30;

/// Pushes [`FLOOD`] messages at once and returns how many were taken; the rest was told to wait.
async fn flood(fixture: &Fixture, conversation: impl Fn(usize) -> String) -> usize {
    let pushes = (0..FLOOD).map(async |number| {
        let message = text_message(&conversation(number), "ada", "Hello");
        fixture.push(&format!("push-{number}"), &message).await
    });
    let answers = join_all(pushes).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status() == 202);
    assert!(!taken.is_empty() && !refused.is_empty(), "{answers:?}");
    for answer in refused {
        assert_eq!(answer.status(), 429);
        assert!(retry_after(answer) >= 1);
    }
    taken.len()
}

#[tokio::test]
async fn a_conversation_beyond_its_limit_waits_and_others_do_not() {
    let fixture = Fixture::start(&[("CONVERSATION_RATE", "1"), ("CONVERSATION_BURST", "1")]).await;
    let taken = flood(&fixture, |_| "noisy".to_owned()).await;
    let quiet = text_message("quiet", "bob", "Hello");
    assert_eq!(fixture.push("push-quiet", &quiet).await.status(), 202);
    assert_eq!(fixture.inbox().await.len(), taken + 1);
    let refused = fixture.requests("http", "rate_limited").await;
    assert_eq!(refused, (FLOOD - taken) as u64);
}

#[tokio::test]
async fn a_connection_beyond_its_limit_waits_whatever_the_conversation() {
    let fixture = Fixture::start(&[("CONNECTION_RATE", "1"), ("CONNECTION_BURST", "1")]).await;
    let taken = flood(&fixture, |number| format!("chat-{number}")).await;
    assert_eq!(fixture.inbox().await.len(), taken);
}

#[tokio::test]
async fn more_requests_than_there_are_places_are_refused_early() {
    let fixture = Fixture::start(&[("MAX_CONCURRENT_REQUESTS", "1")]).await;
    let message = text_message("chat-1", "ada", "Hello");
    let mut slow = TcpStream::connect(fixture.url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    let head =
        format!("POST /v1/channels/{HTTP}/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{{");
    slow.write_all(head.as_bytes()).await.unwrap();
    wait_until(PATIENCE, "the only place to be taken", async || {
        let answer = fixture.push("push-1", &message).await;
        if answer.status() == 202 {
            return false;
        }
        assert_eq!((answer.status().as_u16(), retry_after(&answer)), (503, 1));
        assert_eq!(body(answer).await["code"], "overloaded");
        true
    })
    .await;
    drop(slow);
    wait_until(PATIENCE, "the place to be free again", async || {
        fixture.push("push-2", &message).await.status() == 202
    })
    .await;
}

#[tokio::test]
async fn while_the_broker_is_away_nothing_is_accepted() {
    let mut fixture = Fixture::start(&[]).await;
    let message = text_message("chat-1", "ada", "Hello");
    fixture.nats.kill();
    let answer = fixture.push("push-1", &message).await;
    assert_eq!((answer.status().as_u16(), retry_after(&answer)), (503, 1));
    assert_eq!(body(answer).await["code"], "not_stored");
    assert!(fixture.requests("http", "unavailable").await >= 1);
    fixture.nats.restart().await;
    wait_until(PATIENCE, "pushes to be taken again", async || {
        fixture.push("push-1", &message).await.status() == 202
    })
    .await;
    assert_eq!(fixture.inbox().await.len(), 1);
}

#[tokio::test]
async fn more_than_may_wait_for_an_answer_is_refused_and_a_reset_is_not() {
    const LIMIT: usize = 6;
    let fixture = Fixture::start(&[("CONVERSATION_BACKLOG", "6")]).await;
    let push = async |number: usize, conversation: &str, text: &str| {
        let message = text_message(conversation, "ada", text);
        fixture.push(&format!("push-{number}"), &message).await
    };
    for number in 0..LIMIT {
        assert_eq!(push(number, "chat-1", "Hello").await.status(), 202);
    }
    let refused = push(LIMIT, "chat-1", "Hello").await;
    assert_eq!((refused.status().as_u16(), retry_after(&refused)), (429, 5));
    assert_eq!(body(refused).await["code"], "backlog_full");
    assert_eq!(push(LIMIT + 1, "chat-1", "/reset").await.status(), 202);
    assert_eq!(push(LIMIT + 2, "chat-2", "Hello").await.status(), 202);
    assert_eq!(fixture.inbox().await.len(), LIMIT + 2);
}

#[tokio::test]
async fn while_nobody_takes_up_what_was_accepted_no_more_is() {
    const LIMIT: usize = 100;
    let fixture = Fixture::start(&[("PIPELINE_BACKLOG", "100")]).await;
    let mut taken = 0;
    wait_until(PATIENCE, "pushes to be refused", async || {
        let message = text_message(&format!("chat-{taken}"), "ada", "Hello");
        let answer = fixture.push(&format!("push-{taken}"), &message).await;
        if answer.status() == 202 {
            taken += 1;
            return false;
        }
        assert_eq!((answer.status().as_u16(), retry_after(&answer)), (503, 1));
        true
    })
    .await;
    assert!(taken > LIMIT, "{taken}");
}

#[tokio::test]
async fn messages_pushed_at_once_each_name_the_one_before() {
    let fixture = Fixture::start(&[]).await;
    let pushes = (0..FLOOD / 2).map(async |number| {
        let message = text_message("chat-1", "ada", "Hello");
        fixture.push(&format!("push-{number}"), &message).await.status()
    });
    assert!(join_all(pushes).await.iter().all(|status| *status == 202));
    assert_eq!(chained(&fixture).await, FLOOD / 2);
}

#[tokio::test]
async fn messages_pushed_to_replicas_by_turns_each_name_the_one_before() {
    let fixture = Fixture::start(&[]).await;
    let urls = [fixture.url.clone(), fixture.another().await];
    for number in 0..6 {
        let message = text_message("chat-1", "ada", "Hello");
        let (url, id) = (&urls[number % 2], format!("push-{number}"));
        let answer = push_with_id(url, HTTP, &fixture.secret, &id, &message).await;
        assert_eq!(answer.unwrap().status(), 202);
    }
    assert_eq!(chained(&fixture).await, 6);
}

/// Checks that each entry of the only inbox names the one before it; returns how many there are.
async fn chained(fixture: &Fixture) -> usize {
    let entries = fixture.entries(INBOX.name, "inbox.*").await;
    let named = entries.iter().map(|entry| entry.header(PREDECESSOR).unwrap());
    let stored = entries.iter().map(|entry| entry.sequence.to_string());
    let before = std::iter::once("0".to_owned()).chain(stored);
    assert!(named.zip(before).all(|(named, before)| named == before));
    entries.len()
}
