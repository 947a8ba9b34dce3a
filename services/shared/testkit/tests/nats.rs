//! The nats-server fixture, over the plain text protocol: no client is needed to see what it promises.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

use std::time::Duration;

use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Sends one request and returns everything up to the first answer that holds `end`.
async fn ask(server: &NatsServer, subject: &str, payload: &str, end: &str) -> String {
    let mut stream = TcpStream::connect(server.url().strip_prefix("nats://").unwrap())
        .await
        .unwrap();
    let size = payload.len();
    let text =
        format!("CONNECT {{\"verbose\":false}}\r\nSUB in 1\r\nPUB {subject} in {size}\r\n{payload}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let mut chunk = [0; 4096];
    while !answer.contains(end) {
        let read = timeout(PATIENCE, stream.read(&mut chunk))
            .await
            .expect("an answer in time")
            .unwrap();
        assert!(read > 0, "the server hung up after {answer}");
        answer.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    answer
}

async fn is_listening(server: &NatsServer) -> bool {
    TcpStream::connect(server.url().strip_prefix("nats://").unwrap())
        .await
        .is_ok()
}

async fn create_stream(server: &NatsServer) {
    let settings = "{\"name\":\"KEPT\",\"subjects\":[\"kept\"],\"storage\":\"file\"}";
    let answer = ask(
        server,
        "$JS.API.STREAM.CREATE.KEPT",
        settings,
        "stream_create_response",
    )
    .await;
    assert!(!answer.contains("\"error\""), "{answer}");
}

#[tokio::test]
async fn data_outlives_sigkill_and_restart_on_the_same_port() {
    let mut server = NatsServer::start().await;
    let url = server.url().to_owned();
    create_stream(&server).await;
    ask(&server, "kept", "precious", "\"seq\":1").await;
    server.kill();
    assert!(!is_listening(&server).await);
    server.restart().await;
    assert_eq!(server.url(), url);
    let found = ask(&server, "$JS.API.STREAM.INFO.KEPT", "", "stream_info_response").await;
    assert!(found.contains("\"messages\":1"), "{found}");
}

#[tokio::test]
async fn a_stopped_server_ended_in_order_and_can_be_started_again() {
    let mut server = NatsServer::start().await;
    server.stop().await;
    assert!(server.log().contains("Server Exiting"), "{}", server.log());
    server.restart().await;
    assert!(is_listening(&server).await);
}

#[tokio::test]
async fn a_paused_server_answers_when_it_is_resumed() {
    let server = NatsServer::start().await;
    server.pause().await;
    let info = ask(&server, "$JS.API.INFO", "", "account_info_response");
    tokio::pin!(info);
    assert!(timeout(Duration::from_millis(200), &mut info).await.is_err());
    server.resume();
    info.await;
}

#[tokio::test]
async fn servers_side_by_side_share_nothing_and_end_with_their_value() {
    let (first, second) = tokio::join!(NatsServer::start(), NatsServer::start());
    assert_ne!(first.url(), second.url());
    create_stream(&first).await;
    let names = ask(&second, "$JS.API.STREAM.NAMES", "", "stream_names_response").await;
    assert!(!names.contains("KEPT"), "{names}");
    let address = first.url().strip_prefix("nats://").unwrap().to_owned();
    drop(first);
    wait_until(PATIENCE, "the dropped server's end", async || {
        TcpStream::connect(&address).await.is_err()
    })
    .await;
    assert!(is_listening(&second).await);
}
