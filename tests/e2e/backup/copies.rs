//! Copies of streams, made and put back by the server's own interface, as the `nats` command line does.

use async_nats::Client;
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

/// Small, so that a stream has several pieces.
const PIECE_BYTES: usize = 4096;

/// A stream with its consumers, as the server has sent it.
pub(super) struct StreamCopy {
    /// Settings and state of the stream: what the server wants to know before it takes the pieces.
    described: Value,
    pieces: Vec<Bytes>,
}

impl StreamCopy {
    /// Copies a stream. A piece is sent when the one before it is acknowledged; an empty one is the end.
    pub(super) async fn take(client: &Client, stream: &str) -> Self {
        let here = client.new_inbox();
        let mut sent = client.subscribe(here.clone()).await.unwrap();
        let wanted = json!({ "deliver_subject": here, "chunk_size": PIECE_BYTES });
        let subject = format!("$JS.API.STREAM.SNAPSHOT.{stream}");
        let answer = ask(client, &subject, wanted.to_string().into()).await;
        let mut pieces = Vec::new();
        loop {
            let piece = sent.next().await.unwrap();
            if piece.payload.is_empty() {
                assert!(
                    piece.status.is_none_or(|status| status.as_u16() == 204),
                    "{:?}",
                    piece.description
                );
                break;
            }
            pieces.push(piece.payload);
            if let Some(reply) = piece.reply {
                client.publish(reply, Bytes::new()).await.unwrap();
            }
        }
        let described = json!({ "config": answer["config"], "state": answer["state"] });
        Self { described, pieces }
    }

    /// Puts the stream back, where there is none of its name.
    pub(super) async fn restore(&self, client: &Client) {
        let name = self.described["config"]["name"].as_str().unwrap();
        let subject = format!("$JS.API.STREAM.RESTORE.{name}");
        let there = ask(client, &subject, self.described.to_string().into()).await;
        let there = there["deliver_subject"].as_str().unwrap();
        for piece in self.pieces.iter().cloned().chain([Bytes::new()]) {
            ask(client, there, piece).await;
        }
    }
}

/// The server's answer, which is none of an error; a piece that was taken is answered with nothing.
async fn ask(client: &Client, subject: &str, payload: Bytes) -> Value {
    let answer = client.request(subject.to_owned(), payload).await.unwrap();
    if answer.payload.is_empty() {
        return Value::Null;
    }
    let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert!(answer["error"].is_null(), "{subject}: {answer}");
    answer
}
