//! Questions and answers, past all streams: who asks waits, and nothing is stored.

use std::time::Duration;

use async_nats::client::{PublishErrorKind, Request, RequestErrorKind};
use async_nats::{HeaderMap, HeaderValue, Message, StatusCode, Subject, Subscriber};
use futures_util::StreamExt;
use proto_schemas::wire::{self, Wire};

use crate::{Bus, BusError, TraceContext};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody takes questions on this subject.
    #[error("nobody answers")]
    NobodyAnswers,
    /// Somebody may have taken the question; no answer came in time.
    #[error("no answer came within {0:?}")]
    TimedOut(Duration),
    /// The broker, or an answer that is none.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Questions as they arrive. Kept over reconnects; those that were asked meanwhile failed at who asked.
pub struct Questions {
    inner: Subscriber,
    bus: Bus,
}

/// A question, to be answered once.
pub struct Question {
    message: Message,
    reply: Subject,
    bus: Bus,
}

impl Bus {
    /// Asks, and waits for the answer for at most `patience`.
    ///
    /// # Errors
    /// [`AskError`]: nobody is there, or no answer came. The question may have been taken nevertheless.
    pub async fn ask<Q: Wire, A: Wire>(
        &self,
        subject: String,
        question: &Q,
        patience: Duration,
    ) -> Result<A, AskError> {
        self.check_connected()?;
        let payload = wire::encode(question).map_err(BusError::Unencodable)?;
        let request = Request::new()
            .payload(payload.into())
            .headers(headers::<Q>(TraceContext::new()))
            .timeout(Some(patience));
        let answered = self.client.send_request(subject, request).await;
        let answer = answered.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => AskError::NobodyAnswers,
            RequestErrorKind::TimedOut => AskError::TimedOut(patience),
            RequestErrorKind::MaxPayloadExceeded => BusError::TooLarge.into(),
            RequestErrorKind::InvalidSubject | RequestErrorKind::Other => {
                BusError::Unavailable(error.to_string()).into()
            }
        })?;
        if answer.status == Some(StatusCode::NO_RESPONDERS) {
            return Err(AskError::NobodyAnswers);
        }
        Ok(decode(&answer).map_err(BusError::from)?)
    }

    /// Takes questions of a subject, each for one member of the group alone. Dropped, it takes no more.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the client has shut down.
    pub async fn questions(&self, subject: &'static str, group: &str) -> Result<Questions, BusError> {
        let subscribed = self.client.queue_subscribe(subject, group.to_owned()).await;
        let inner = subscribed.map_err(|error| BusError::Unavailable(error.to_string()))?;
        let bus = self.clone();
        Ok(Questions { inner, bus })
    }
}

impl Questions {
    /// Waits for the next question; none when no more will come: after [`Questions::end`], or when the connection is
    /// closed for good.
    pub async fn next(&mut self) -> Option<Question> {
        loop {
            let message = self.inner.next().await?;
            // Who names no address for the answer waits for none.
            if let Some(reply) = message.reply.clone() {
                let bus = self.bus.clone();
                return Some(Question { message, reply, bus });
            }
        }
    }

    /// Takes no more questions than are on their way already.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the client has shut down.
    pub async fn end(&mut self) -> Result<(), BusError> {
        let ended = self.inner.drain().await;
        ended.map_err(|error| BusError::Unavailable(error.to_string()))
    }
}

impl Question {
    /// What is asked.
    ///
    /// # Errors
    /// [`wire::DecodeError`] when it is something else.
    pub fn decode<Q: Wire>(&self) -> Result<Q, wire::DecodeError> {
        decode(&self.message)
    }

    /// The trace it belongs to; a new one when it brought none.
    pub fn trace(&self) -> TraceContext {
        header(&self.message, wire::TRACEPARENT)
            .and_then(TraceContext::parse)
            .unwrap_or_default()
    }

    /// Answers. Whether the answer arrives is not known.
    ///
    /// # Errors
    /// [`BusError::TooLarge`] when the broker would not take the answer; another may be given then.
    pub async fn answer<A: Wire>(&self, answer: &A) -> Result<(), BusError> {
        let payload = wire::encode(answer).map_err(BusError::Unencodable)?;
        let headers = headers::<A>(self.trace());
        let client = &self.bus.client;
        let sent = client.publish_with_headers(self.reply.clone(), headers, payload.into());
        sent.await.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => BusError::TooLarge,
            PublishErrorKind::InvalidSubject | PublishErrorKind::Send => {
                BusError::Unavailable(error.to_string())
            }
        })
    }
}

pub(crate) fn headers<T: Wire>(trace: TraceContext) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(wire::MESSAGE_TYPE, T::TYPE);
    headers.insert(wire::TRACEPARENT, trace.to_string().as_str());
    headers
}

pub(crate) fn decode<T: Wire>(message: &Message) -> Result<T, wire::DecodeError> {
    wire::decode(header(message, wire::MESSAGE_TYPE), &message.payload)
}

fn header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let headers = message.headers.as_ref()?;
    headers.get(name).map(HeaderValue::as_str)
}
