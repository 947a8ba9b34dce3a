//! What goes over the wire, seen by a server that knows nothing of HTTP but where a request's head ends.

use std::sync::{Arc, Mutex};

use outbound::Client;
use reqwest::{Method, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::servers::open_client;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// The head of a request, and on which connection it came, counted from 0.
type Seen = Arc<Mutex<Vec<(usize, String)>>>;

/// Answers so many requests, and closes the connection on which the next one comes.
#[expect(
    clippy::disallowed_methods,
    reason = "the server ends with the test's runtime"
)]
async fn serve_raw(answers: usize) -> (Url, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let seen = Seen::default();
    let requests = Arc::clone(&seen);
    tokio::spawn(async move {
        for connection in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            while let Some(head) = read_head(&mut stream).await {
                let count = {
                    let mut requests = requests.lock().unwrap();
                    requests.push((connection, head));
                    requests.len()
                };
                if count > answers {
                    break;
                }
                stream.write_all(OK).await.unwrap();
            }
        }
    });
    (url, seen)
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?.into());
    }
    Some(head)
}

async fn call(client: &Client, url: &Url) -> reqwest::Result<Response> {
    let request = client.request(Method::POST, url).unwrap();
    request.header("x-user-tier", "premium").send().await
}

#[tokio::test]
async fn calls_one_after_another_share_a_connection() {
    let (url, seen) = serve_raw(3).await;
    let client = open_client();
    for _ in 0..3 {
        call(&client, &url).await.unwrap();
    }
    let connections: Vec<usize> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|(connection, _)| *connection)
        .collect();
    assert_eq!(connections, [0, 0, 0]);
}

#[tokio::test]
async fn a_call_that_a_connection_drops_is_not_made_again_of_our_own_accord() {
    for answers in [0, 1] {
        let (url, seen) = serve_raw(answers).await;
        let client = open_client();
        for _ in 0..answers {
            call(&client, &url).await.unwrap();
        }
        assert!(call(&client, &url).await.is_err());
        assert_eq!(
            seen.lock().unwrap().len(),
            answers + 1,
            "on a connection with {answers} calls before"
        );
    }
}

#[tokio::test]
async fn header_names_are_written_as_old_servers_expect_them() {
    let (url, seen) = serve_raw(1).await;
    call(&open_client(), &url).await.unwrap();
    let (_, head) = seen.lock().unwrap()[0].clone();
    for name in ["\r\nHost: ", "\r\nUser-Agent: ", "\r\nX-User-Tier: premium\r\n"] {
        assert!(head.contains(name), "{head}");
    }
}
