//! Serving HTTP until shutdown, the same way for admin endpoints and services, and what services have in common when
//! they read a request and answer it.

mod connections;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use bus::TraceContext;
use bytes::Bytes;
use proto_schemas::wire::TRACEPARENT;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long a body may take to arrive: clients send theirs at once, and a slow one holds a place.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// The address at the other end of a request's connection, which may be that of a proxy. Each request has it as an
/// extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// A socket that is bound and not served yet.
pub struct Bound {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Binds; port 0 takes a free one.
///
/// # Errors
/// The system's, with the address in words.
pub async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
    let address = listener.local_addr()?;
    Ok(Bound { listener, address })
}

impl Bound {
    /// Serves until `shutdown`, then finishes the requests at hand. Who takes 75 s to ask, or takes nothing of an answer
    /// for 30 s, is cut off.
    pub async fn serve(self, router: Router, shutdown: CancellationToken) -> Result<(), Infallible> {
        connections::serve(self.listener, router, shutdown).await;
        Ok(())
    }
}

/// Why a body cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    /// It is larger than the route's limit.
    TooLarge,
    /// It took too long to arrive.
    TooSlow,
    /// It broke off.
    Broken,
}

/// Reads a body whole, under the route's limit and a deadline of ten seconds.
///
/// # Errors
/// [`BodyError`].
pub async fn read_body(request: Request) -> Result<Bytes, BodyError> {
    let read = tokio::time::timeout(BODY_DEADLINE, Bytes::from_request(request, &()));
    match read.await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(BodyError::TooLarge),
        Ok(Err(_)) => Err(BodyError::Broken),
        Err(_) => Err(BodyError::TooSlow),
    }
}

/// The sender's trace, if it brought one.
pub fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let given = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
    given.and_then(TraceContext::parse)
}

/// A value of `Retry-After`: rounded up to whole seconds, and at least one, as zero would invite the sender back at
/// once.
pub fn retry_after(wait: Duration) -> HeaderValue {
    let more = u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(wait.as_secs().saturating_add(more).max(1))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use futures_util::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        assert_eq!(
            read_body(Request::new(body)).await.unwrap_err(),
            BodyError::TooSlow
        );
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_told_from_one_that_is_there() {
        let parts: [Result<Bytes, io::Error>; 2] =
            [Ok(Bytes::from_static(b"{")), Err(io::Error::other("gone"))];
        let broken = Request::new(Body::from_stream(stream::iter(parts)));
        assert_eq!(read_body(broken).await.unwrap_err(), BodyError::Broken);
        assert_eq!(read_body(Request::new(Body::from("{}"))).await.unwrap(), "{}");
    }

    #[test]
    fn a_trace_that_comes_along_is_read() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let header = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let headers = HeaderMap::from_iter([(
            TRACEPARENT.parse::<axum::http::HeaderName>().unwrap(),
            header.parse().unwrap(),
        )]);
        assert_eq!(trace_of(&headers).unwrap().trace_id(), TRACE);
        assert_eq!(trace_of(&HeaderMap::new()), None);
    }

    #[test]
    fn a_wait_is_rounded_up_to_at_least_a_second() {
        let seconds = |millis| retry_after(Duration::from_millis(millis));
        assert_eq!(
            [seconds(0), seconds(1), seconds(1000), seconds(1001)],
            ["1", "1", "1", "2"]
        );
    }
}
