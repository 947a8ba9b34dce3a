//! What the platform itself never asks of the server, in the server's own protocol.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::NatsServer;

const INBOX: &str = "testkit.answer";

impl NatsServer {
    /// Lets a consumer give up on messages that it has handed out once, when they come back: they stay in the stream,
    /// and nobody knows of them. So it is with some that were acknowledged when the server is killed.
    ///
    /// # Panics
    /// When there is no such consumer.
    pub async fn deliver_once(&self, stream: &str, consumer: &str) {
        let info = format!("$JS.API.CONSUMER.INFO.{stream}.{consumer}");
        let mut config = self.request(&info, &json!({})).await["config"].take();
        config["max_deliver"] = json!(1);
        let change = format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{consumer}");
        let body = json!({"stream_name": stream, "config": config});
        let answer = self.request(&change, &body).await;
        assert!(answer["error"].is_null(), "{answer}");
    }

    /// What the server answers to a request of its JSON API.
    pub(super) async fn request(&self, subject: &str, body: &Value) -> Value {
        let mut stream = BufReader::new(TcpStream::connect(self.address()).await.unwrap());
        let body = body.to_string();
        let sent = format!(
            "CONNECT {{\"verbose\":false}}\r\nSUB {INBOX} 1\r\nPUB {subject} {INBOX} {}\r\n{body}\r\n",
            body.len()
        );
        stream.write_all(sent.as_bytes()).await.unwrap();
        loop {
            let mut line = String::new();
            assert!(
                stream.read_line(&mut line).await.unwrap() > 0,
                "no answer to {subject}"
            );
            if line.starts_with("MSG ") {
                let length: usize = line.split_whitespace().last().unwrap().parse().unwrap();
                let mut answer = vec![0; length];
                stream.read_exact(&mut answer).await.unwrap();
                return serde_json::from_slice(&answer).unwrap();
            }
            assert!(!line.starts_with("-ERR"), "{line}");
        }
    }
}
