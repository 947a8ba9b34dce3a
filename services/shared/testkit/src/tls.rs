//! A listener that speaks TLS, for `axum::serve`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::serve::Listener;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WantsServerCert;
use rustls::{ConfigBuilder, ServerConfig, WantsVerifier};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Takes connections on a free port of the loopback, and those only that get through the handshake.
pub struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsListener {
    /// Listens with a configuration of its own.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn bind(config: ServerConfig) -> Self {
        Self {
            tcp: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// The port of `localhost`.
    ///
    /// # Panics
    /// When the socket is gone.
    pub fn port(&self) -> u16 {
        self.tcp.local_addr().unwrap().port()
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.tcp.accept().await.unwrap();
            // A client that refuses the certificate must not end the server.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// TLS for `localhost` by a certificate of its own, which is the second as PEM.
///
/// # Panics
/// When no key can be made.
pub fn self_signed() -> (ServerConfig, String) {
    self_signed_asking(|config| config.with_no_client_auth())
}

/// The same, with something to say about the certificates of clients.
///
/// # Panics
/// When no key can be made.
pub fn self_signed_asking(
    clients: impl FnOnce(
        ConfigBuilder<ServerConfig, WantsVerifier>,
    ) -> ConfigBuilder<ServerConfig, WantsServerCert>,
) -> (ServerConfig, String) {
    let signed = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = signed.cert.pem();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = clients(config)
        .with_single_cert(vec![signed.cert.into()], key)
        .unwrap();
    (config, pem)
}
