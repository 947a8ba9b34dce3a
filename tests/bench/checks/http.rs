//! Messages on a kept connection.

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::http::Connection;

/// Two ends of a connection.
async fn ends() -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (accepted, connected) = tokio::join!(listener.accept(), TcpStream::connect(address));
    (Connection::new(accepted.unwrap().0).unwrap(), connected.unwrap())
}

#[tokio::test]
async fn messages_are_read_one_after_the_other_however_they_arrive() {
    let (mut connection, mut peer) = ends().await;
    let sent =
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nX-Attempt: 1\r\n\r\nhelloHTTP/1.1 202 Accepted\r\n\r\n";
    for byte in sent {
        peer.write_all(&[*byte]).await.unwrap();
    }
    let first = connection.read().await.unwrap().unwrap();
    assert_eq!(
        (first.body, first.header("x-attempt")),
        (&b"hello"[..], Some("1"))
    );
    let second = connection.read().await.unwrap().unwrap();
    assert_eq!((second.status(), second.body), (Some(202), &b""[..]));
    drop(peer);
    assert!(connection.read().await.unwrap().is_none());
}

#[tokio::test]
async fn a_message_that_breaks_off_is_an_error() {
    let (mut connection, mut peer) = ends().await;
    peer.write_all(b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhell")
        .await
        .unwrap();
    drop(peer);
    assert!(connection.read().await.is_err());
}
