//! Servers on a free port of the loopback, and clients that may call them.

use axum::Router;
use axum::serve::Listener;
use outbound::{Client, Policy};
use reqwest::{Method, RequestBuilder};
use rustls::ServerConfig;
use testkit::tls::TlsListener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// Serves by plain HTTP; the answer is the server's base URL.
pub(crate) async fn serve(router: Router) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    start(listener, router);
    Url::parse(&format!("http://{address}/")).unwrap()
}

/// Serves by TLS; the answer is the server's base URL under the name `localhost`.
pub(crate) async fn serve_tls(router: Router, config: ServerConfig) -> Url {
    let listener = TlsListener::bind(config).await;
    let port = listener.port();
    start(listener, router);
    Url::parse(&format!("https://localhost:{port}/")).unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server ends with the test's runtime"
)]
fn start<L>(listener: L, router: Router)
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// Takes one request, answers with these bytes and closes the connection.
#[expect(
    clippy::disallowed_methods,
    reason = "the server ends with the test's runtime"
)]
pub(crate) async fn serve_once(answer: &'static [u8]) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert_ne!(stream.read(&mut request).await.unwrap(), 0);
        stream.write_all(answer).await.unwrap();
    });
    Url::parse(&format!("http://{address}/")).unwrap()
}

/// A client that may call the loopback, as in development.
pub(crate) fn open_client() -> Client {
    let allowed = ["localhost".to_owned(), "127.0.0.0/8".to_owned()];
    Client::new(Policy::new(&allowed).unwrap(), None).unwrap()
}

/// A request to a server of the test.
pub(crate) fn get(url: &Url) -> RequestBuilder {
    open_client().request(Method::GET, url).unwrap()
}
