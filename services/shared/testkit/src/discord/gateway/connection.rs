//! One connection: greetings, heartbeats, and a session that is begun or resumed over it.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_websockets::{CloseCode, Message, ServerBuilder, WebSocketStream};

use super::Shared;
use super::event::BOT_USER;
use super::sessions::{Line, Out};

/// What Discord asks for: a heartbeat every 41 s or so.
const HEARTBEAT_MILLIS: u64 = 41_250;
/// The code for a token that it does not know.
const UNKNOWN_TOKEN: u16 = 4004;

/// What lies under a WebSocket.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

pub(super) async fn accept<L>(mut listener: L, shared: Arc<Shared>)
where
    L: Listener<Addr = SocketAddr>,
{
    loop {
        let (stream, _) = listener.accept().await;
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // Who cannot shake hands has gone.
            if let Ok((_, socket)) = ServerBuilder::new().accept(stream).await {
                serve(socket, &shared).await;
            }
        });
    }
}

async fn serve(mut socket: WebSocketStream<impl Stream>, shared: &Shared) {
    let (out, outgoing) = unbounded_channel();
    let line = shared.sessions().connected(out);
    talk(&mut socket, shared, &line, outgoing).await;
    shared.sessions().disconnected(&line);
}

/// Talks until either side closes.
async fn talk(
    socket: &mut WebSocketStream<impl Stream>,
    shared: &Shared,
    line: &Line,
    mut outgoing: UnboundedReceiver<Out>,
) {
    let hello = json!({"op": 10, "d": {"heartbeat_interval": HEARTBEAT_MILLIS}, "s": null, "t": null});
    let mut next = Some(Message::text(hello.to_string()));
    loop {
        if let Some(message) = next.take()
            && socket.send(message).await.is_err()
        {
            return;
        }
        tokio::select! {
            heard = socket.next() => match heard {
                Some(Ok(message)) if message.is_close() => {
                    let code = message.as_close().map(|(code, _)| u16::from(code));
                    shared.sessions().farewells.extend(code);
                    return;
                }
                Some(Ok(message)) => {
                    next = message.as_text().and_then(|text| hear(shared, line, text));
                }
                Some(Err(_)) | None => return,
            },
            out = outgoing.recv() => match out.unwrap() {
                Out::Text(text) => next = Some(Message::text(text)),
                Out::Close(code) => return close(socket, code).await,
            },
        }
    }
}

async fn close(socket: &mut WebSocketStream<impl Stream>, code: u16) {
    let code = CloseCode::try_from(code).unwrap();
    // Who has gone already cannot be told.
    if socket.send(Message::close(Some(code), "")).await.is_ok() {
        drop(socket.next().await);
    }
}

/// What the bot says, and what it is answered at once.
fn hear(shared: &Shared, line: &Line, text: &str) -> Option<Message> {
    let said: Value = serde_json::from_str(text).unwrap();
    let data = &said["d"];
    let knows_token = || data["token"].as_str() == Some(&format!("Bot {}", shared.token));
    match said["op"].as_u64() {
        Some(1) => Some(Message::text(r#"{"op":11,"d":null,"s":null,"t":null}"#)),
        Some(2 | 6) if !knows_token() => {
            drop(line.out.send(Out::Close(UNKNOWN_TOKEN)));
            None
        }
        Some(2) => {
            shared.sessions().identify(line, |session| {
                json!({
                    "v": 10, "session_id": session, "resume_gateway_url": shared.url, "guilds": [],
                    "user": {"id": BOT_USER, "username": "Demo", "bot": true},
                    "application": {"id": BOT_USER, "flags": 0},
                })
            });
            None
        }
        Some(6) => {
            let session = data["session_id"].as_str().unwrap();
            shared
                .sessions()
                .resume(line, session, data["seq"].as_u64().unwrap());
            None
        }
        Some(_) | None => None,
    }
}
