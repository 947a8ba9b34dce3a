//! Serving HTTP until shutdown, the same way for admin endpoints and services.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
    /// Serves until `shutdown`, then finishes the requests at hand.
    ///
    /// # Errors
    /// The system's, when the socket breaks.
    pub async fn serve(self, router: Router, shutdown: CancellationToken) -> io::Result<()> {
        axum::serve(self.listener, router)
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await
    }
}
