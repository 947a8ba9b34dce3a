//! The proxy between a client and a server of its own.

#![expect(
    clippy::unwrap_used,
    reason = "a panic is a test's report, in its helper functions too"
)]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use testkit::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A client and a server with the proxy between them.
async fn connected() -> (Proxy, TcpStream, TcpStream, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap()).await;
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    (proxy, client, server, listener)
}

async fn read_four(stream: &mut TcpStream) -> [u8; 4] {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Whether the other side has ended the connection; waits for that.
async fn has_ended(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 1]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn both_directions_are_carried() {
    let (_proxy, mut client, mut server, _listener) = connected().await;
    client.write_all(b"ping").await.unwrap();
    assert_eq!(&read_four(&mut server).await, b"ping");
    server.write_all(b"pong").await.unwrap();
    assert_eq!(&read_four(&mut client).await, b"pong");
}

#[tokio::test]
async fn a_cut_ends_what_is_open_and_nothing_that_comes_later() {
    let (proxy, mut client, mut server, listener) = connected().await;
    proxy.cut();
    assert!(has_ended(&mut client).await);
    assert!(has_ended(&mut server).await);

    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    client.write_all(b"ping").await.unwrap();
    assert_eq!(&read_four(&mut server).await, b"ping");
}

#[tokio::test]
async fn a_slow_network_takes_its_time() {
    let (proxy, mut client, mut server, _listener) = connected().await;
    let delay = Duration::from_millis(100);
    proxy.slow_down(delay);
    let began = Instant::now();
    client.write_all(b"ping").await.unwrap();
    assert_eq!(&read_four(&mut server).await, b"ping");
    assert!(began.elapsed() >= delay);
}

#[tokio::test]
async fn what_is_sent_while_it_stalls_arrives_later() {
    let (proxy, mut client, mut server, _listener) = connected().await;
    let gate = proxy.stall();
    client.write_all(b"ping").await.unwrap();
    // Nothing passes in a time in which it otherwise would.
    let early = tokio::time::timeout(Duration::from_millis(100), server.peek(&mut [0; 1])).await;
    assert!(early.is_err());
    gate.release();
    assert_eq!(&read_four(&mut server).await, b"ping");
}

#[tokio::test]
async fn the_end_of_the_server_is_the_end_of_the_clients_connection() {
    let (_proxy, mut client, server, _listener) = connected().await;
    drop(server);
    assert!(has_ended(&mut client).await);
}

#[tokio::test]
async fn a_dropped_proxy_carries_nothing_more() {
    let (proxy, mut client, mut server, _listener) = connected().await;
    drop(proxy);
    assert!(has_ended(&mut client).await);
    assert!(has_ended(&mut server).await);
}
