//! The connections of one socket: HTTP/1.1, with an end to those whose other side neither asks nor reads.

use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinError, JoinSet};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::Peer;
use crate::task::panic_text;

/// For so long a connection may wait for its next request's headers to be whole. Longer than the 60 s for which gateways
/// usually keep a connection that nobody uses: who closes first should be them, or a request may be on its way.
const HEADER_DEADLINE: Duration = Duration::from_secs(75);
/// For so long nothing of an answer may get through before its reader is taken to have gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Serves until `shutdown`, then finishes the requests at hand.
pub(super) async fn serve(mut listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, peer) = Listener::accept(&mut listener) => {
                let service = TowerToHyperService::new(router.clone());
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(Peer(peer.ip()));
                    service.call(request)
                });
                let connection = http.serve_connection(TokioIo::new(limited(stream)), service);
                connections.spawn(graceful.watch(connection));
            }
            Some(ended) = connections.join_next() => tell(ended),
            () = shutdown.cancelled() => break,
        }
    }
    // From here on the system refuses, so that clients go elsewhere.
    drop(listener);
    graceful.shutdown().await;
}

fn limited(stream: TcpStream) -> std::pin::Pin<Box<TimeoutStream<TcpStream>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_DEADLINE));
    Box::pin(stream)
}

fn tell(ended: Result<hyper::Result<()>, JoinError>) {
    match ended {
        Ok(Ok(())) => {}
        // Clients hang up in many ways, and none of them is ours to mend.
        Ok(Err(error)) => tracing::debug!(%error, "a connection broke off"),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => tracing::error!(cause = panic_text(panic.as_ref()), "answering a request panicked"),
            Err(error) => tracing::debug!(%error, "a connection was given up"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::extract::Extension;
    use axum::routing::get;
    use bytes::Bytes;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::mpsc;
    use tokio::time::timeout;

    use super::*;

    /// A socket that is served until the token is cancelled.
    async fn connect(router: Router, tasks: &mut JoinSet<()>) -> (TcpStream, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        tasks.spawn(serve(listener, router, shutdown.clone()));
        (TcpStream::connect(address).await.unwrap(), shutdown)
    }

    #[tokio::test]
    async fn a_request_knows_the_other_end_of_its_connection() {
        let tell = async |Extension(Peer(address)): Extension<Peer>| address.to_string();
        let mut tasks = JoinSet::new();
        let (mut client, _shutdown) = connect(Router::new().route("/", get(tell)), &mut tasks).await;
        let request = b"GET / HTTP/1.1\r\nhost: us\r\nconnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\n127.0.0.1"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_never_end_are_waited_for_no_longer_than_the_deadline() {
        let mut tasks = JoinSet::new();
        let (mut client, _shutdown) = connect(Router::new(), &mut tasks).await;
        client
            .write_all(b"POST / HTTP/1.1\r\nhost: us\r\nx-slow: ")
            .await
            .unwrap();
        let mut answer = String::new();
        let ended = timeout(HEADER_DEADLINE * 2, client.read_to_string(&mut answer)).await;
        assert!(
            ended.is_ok(),
            "the connection stays open for whom writes no request"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_given_up() {
        let given_up = CancellationToken::new();
        let token = given_up.clone();
        let body = move || async move {
            let chunks = stream::unfold(token.drop_guard(), async |guard| {
                let chunk: Result<Bytes, Infallible> = Ok(Bytes::from(vec![0; 1 << 20]));
                Some((chunk, guard))
            });
            Body::from_stream(chunks)
        };
        let mut tasks = JoinSet::new();
        let (mut client, _shutdown) = connect(Router::new().route("/", get(body)), &mut tasks).await;
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: us\r\n\r\n")
            .await
            .unwrap();
        timeout(WRITE_DEADLINE * 2, given_up.cancelled()).await.unwrap();
    }

    #[tokio::test]
    async fn a_request_at_hand_is_answered_after_the_end_was_asked_for() {
        let (arrived, mut arrivals) = mpsc::channel(1);
        let finish = CancellationToken::new();
        let go_on = finish.clone();
        let slow = move || async move {
            arrived.send(()).await.unwrap();
            go_on.cancelled().await;
            "done"
        };
        let mut tasks = JoinSet::new();
        let (mut client, shutdown) = connect(Router::new().route("/", get(slow)), &mut tasks).await;
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: us\r\n\r\n")
            .await
            .unwrap();
        arrivals.recv().await.unwrap();
        shutdown.cancel();
        finish.cancel();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("done"), "{answer}");
        tasks.join_next().await.unwrap().unwrap();
    }
}
