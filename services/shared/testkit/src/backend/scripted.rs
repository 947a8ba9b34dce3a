//! What a fake answers: as it should, or in one of the ways in which servers fail.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

/// An answer.
#[derive(Debug, Clone)]
pub enum Scripted {
    /// 200 with this JSON.
    Reply(Value),
    /// Anything else that HTTP can say.
    Status {
        /// The status.
        status: u16,
        /// The headers.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// The same, but later.
    Delay(Duration, Box<Scripted>),
    /// Nothing, for as long as the caller waits.
    Hang,
    /// The connection is closed without an answer.
    Disconnect,
    /// 200 and the body of a JSON answer, byte by byte.
    Drip {
        /// The whole body.
        body: Bytes,
        /// The pause before each byte.
        pause: Duration,
    },
    /// 200 and a body that never ends.
    Endless {
        /// What is repeated.
        chunk: Bytes,
    },
    /// 200 and a body that breaks off where its length announces more.
    Truncated {
        /// What is sent.
        body: Bytes,
    },
}

impl Scripted {
    /// The guide's answer with this text.
    pub fn text(content: impl Into<String>) -> Self {
        Self::Reply(json!({ "content": content.into() }))
    }

    /// A status with the guide's error body.
    pub fn status(status: u16) -> Self {
        let body = json!({ "error": format!("scripted {status}"), "code": "scripted" });
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Status {
            status,
            headers,
            body: body.to_string().into(),
        }
    }

    /// 429 with a `Retry-After`, in seconds or as a date.
    pub fn retry_after(retry_after: impl Into<String>) -> Self {
        let headers = vec![("retry-after".to_owned(), retry_after.into())];
        Self::Status {
            status: 429,
            headers,
            body: Bytes::new(),
        }
    }

    /// 200 with these bytes, whatever they are.
    pub fn raw(content_type: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.into())];
        Self::Status {
            status: 200,
            headers,
            body: body.into(),
        }
    }

    /// The same answer, after `delay`.
    pub fn after(self, delay: Duration) -> Self {
        Self::Delay(delay, Box::new(self))
    }

    pub(crate) async fn play(self) -> Response {
        match self {
            Self::Reply(value) => json_answer(value.to_string().into()),
            Self::Status {
                status,
                headers,
                body,
            } => full(status, &headers, body),
            Self::Delay(delay, answer) => {
                tokio::time::sleep(delay).await;
                Box::pin(answer.play()).await
            }
            Self::Hang => std::future::pending().await,
            Self::Disconnect => disconnect(),
            Self::Drip { body, pause } => json_answer(drip(body, pause)),
            Self::Endless { chunk } => json_answer(Body::from_stream(stream::repeat_with(move || {
                Ok::<_, Infallible>(chunk.clone())
            }))),
            Self::Truncated { body } => truncated(body),
        }
    }
}

/// Ends the connection that is being served: the server's task dies of it, without a message.
pub(crate) fn disconnect() -> ! {
    std::panic::resume_unwind(Box::new("the script cuts the connection"))
}

fn full(status: u16, headers: &[(String, String)], body: Bytes) -> Response {
    let answer = Response::builder().status(StatusCode::from_u16(status).unwrap());
    let answer = headers
        .iter()
        .fold(answer, |answer, (name, value)| answer.header(name, value));
    answer.body(body.into()).unwrap()
}

fn json_answer(body: Body) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .body(body)
        .unwrap()
}

fn drip(body: Bytes, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let byte = rest.split_to(1);
        Some((Ok::<_, Infallible>(byte), rest))
    }))
}

fn truncated(body: Bytes) -> Response {
    let announced = body.len() + 1;
    // The server flushes what it has when it must wait for more, and drops it at an error.
    let breaks_off = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("the script breaks off"))
    });
    let sent = stream::once(std::future::ready(Ok(body))).chain(breaks_off);
    let mut answer = json_answer(Body::from_stream(sent));
    answer
        .headers_mut()
        .insert(header::CONTENT_LENGTH, announced.into());
    answer
}
