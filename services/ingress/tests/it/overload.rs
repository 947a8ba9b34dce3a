//! Too much at once, too much of one, and a broker that is away.

use futures_util::future::join_all;
use testkit::callback::text_message;
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
