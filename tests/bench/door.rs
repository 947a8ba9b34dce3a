//! Where messages go in: what pushes them as their platform does. Here our own channel and the bare chain.

use std::cell::RefCell;
use std::io::{ErrorKind, Result};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::LocalBoxFuture;
use testkit::callback::sign_push;
use tokio::net::TcpStream;

use crate::http::Connection;
use crate::token::Token;

/// Pushes messages into a chain.
pub(crate) trait Door {
    /// Pushes the message of this token; the status of the answer.
    fn push(&self, token: Token, text: String) -> LocalBoxFuture<'_, Result<u16>>;
}

/// Pushes over connections that are kept, as lean as can be.
pub(crate) struct HttpDoor {
    /// The address.
    pub(crate) address: SocketAddr,
    /// The path for a conversation.
    pub(crate) path: Box<dyn Fn(usize) -> String>,
    /// Signs what is pushed.
    pub(crate) secret: String,
    /// Connections that wait for the next push.
    pub(crate) idle: RefCell<Vec<Connection>>,
}

impl Door for HttpDoor {
    fn push(&self, token: Token, text: String) -> LocalBoxFuture<'_, Result<u16>> {
        Box::pin(async move {
            let idle = self.idle.borrow_mut().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => Connection::new(TcpStream::connect(self.address).await?)?,
            };
            connection.write(&self.request(token, &text)).await?;
            let status = connection.read().await?.and_then(|answer| answer.status());
            let status = status.ok_or(ErrorKind::UnexpectedEof)?;
            self.idle.borrow_mut().push(connection);
            Ok(status)
        })
    }
}

impl HttpDoor {
    fn request(&self, token: Token, text: &str) -> Vec<u8> {
        let chat = chat(token.conversation);
        let body =
            format!("{{\"conversation_id\":\"{chat}\",\"user\":{{\"id\":\"{chat}\"}},\"text\":\"{text}\"}}");
        let id = format!("push-{}-{}", token.conversation, token.number);
        let [(_, id), (_, at), (_, signature)] = sign_push(&self.secret, &id, now_seconds(), body.as_bytes());
        let (path, length) = ((self.path)(token.conversation), body.len());
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nwebhook-id: {id}\r\n\
             webhook-timestamp: {at}\r\nwebhook-signature: {signature}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }
}

/// A conversation as the channel's user names it.
pub(crate) fn chat(conversation: usize) -> String {
    format!("chat-{conversation:07}")
}

#[expect(clippy::disallowed_methods, reason = "a signature names the real time")]
fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("the clock is past 1970").as_secs()
}
