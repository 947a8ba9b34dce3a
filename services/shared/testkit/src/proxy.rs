//! A TCP proxy that behaves as a bad network does: it is slow, it stands still, it loses all connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::gate::{Doorway, Gate};

/// What is carried at once. A cut may fall between two pieces of one message.
const PIECE_BYTES: usize = 16 * 1024;

/// A proxy on a port of its own, in front of one server. Dropped, it takes no more connections and ends those
/// that are open.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// How long each piece takes, both ways.
    delay: watch::Sender<Duration>,
    /// Counts the cuts; a connection ends with the first one after its beginning.
    cuts: watch::Sender<u64>,
    doorway: Arc<Doorway>,
}

impl Proxy {
    /// Listens on a free port and carries every connection to `target`.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            delay: watch::Sender::new(Duration::ZERO),
            cuts: watch::Sender::new(0),
            doorway: Arc::default(),
        };
        let network = Network {
            delay: proxy.delay.subscribe(),
            cuts: proxy.cuts.subscribe(),
            doorway: Arc::clone(&proxy.doorway),
        };
        tokio::spawn(accept(listener, target, network));
        proxy
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every open connection at once. New ones are welcome.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From now on every piece of data takes so long, either way, on the connections that are open too.
    pub fn slow_down(&self, delay: Duration) {
        self.delay.send_replace(delay);
    }

    /// Holds back all data until the gate is released; connections stay open.
    pub fn stall(&self) -> Gate {
        self.doorway.close()
    }
}

/// What a connection follows.
#[derive(Clone)]
struct Network {
    delay: watch::Receiver<Duration>,
    cuts: watch::Receiver<u64>,
    doorway: Arc<Doorway>,
}

impl Network {
    /// Takes as long as the network takes now.
    async fn travel(&self) {
        let delay = *self.delay.borrow();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        self.doorway.pass().await;
    }
}

/// Takes connections until the proxy is dropped.
async fn accept(listener: TcpListener, target: SocketAddr, mut network: Network) {
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    let mut network = network.clone();
                    // What was cut before does not concern this one.
                    network.cuts.mark_unchanged();
                    tokio::spawn(connection(client, target, network));
                }
            }
            cut = network.cuts.changed() => if cut.is_err() {
                return;
            },
        }
    }
}

/// Carries both directions until one ends, or the network cuts.
async fn connection(client: TcpStream, target: SocketAddr, network: Network) {
    let mut cuts = network.cuts.clone();
    let Ok(server) = TcpStream::connect(target).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        _ = carry(from_client, to_server, network.clone()) => {}
        _ = carry(from_server, to_client, network) => {}
        // A cut, or the end of the proxy.
        _ = cuts.changed() => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, network: Network) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        network.travel().await;
        to.write_all(&piece[..length]).await?;
    }
}
