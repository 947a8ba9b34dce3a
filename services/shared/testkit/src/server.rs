//! The HTTP server under every fake.

use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::serve::Listener;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A server on a free port. Dropped, it accepts nothing more and closes idle connections.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    _running: oneshot::Sender<()>,
}

impl Server {
    /// Listens and serves in the background.
    pub(crate) async fn start(router: Router) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        Self::serve(listener, router)
    }

    /// Serves what a listener takes.
    pub(crate) fn serve<L>(listener: L, router: Router) -> Self
    where
        L: Listener<Addr = SocketAddr>,
    {
        let address = listener.local_addr().unwrap();
        let (running, stopped) = oneshot::channel::<()>();
        // A fake takes bodies of any size; what is too large is for its behaviour to say.
        let serving = axum::serve(listener, router.layer(DefaultBodyLimit::disable()));
        tokio::spawn(async move {
            let stop = async move { drop(stopped.await) };
            serving.with_graceful_shutdown(stop).await
        });
        Self {
            address,
            _running: running,
        }
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}
