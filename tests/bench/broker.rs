//! The broker of a run: a nats-server with the settings that are deployed, and what it tells about itself.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Sub;

use bus::{Bus, BusConfig, OnDifference};
use serde::Deserialize;
use testkit::nats::NatsServer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The configuration, as it is deployed.
const DEPLOYED: &str = include_str!("../../deploy/nats/nats.conf");
/// Its lines that say where things are; the bench has places of its own.
const PLACES: [&str; 3] = ["listen:", "http:", "store_dir:"];

/// A broker on a folder of its own.
pub(crate) struct Broker {
    /// Its process.
    pub(crate) server: NatsServer,
    monitor: SocketAddr,
}

/// What went through a broker, as it counts it.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub(crate) struct Traffic {
    #[serde(rename = "in_msgs")]
    pub(crate) messages_in: f64,
    #[serde(rename = "out_msgs")]
    pub(crate) messages_out: f64,
    #[serde(rename = "in_bytes")]
    pub(crate) bytes_in: f64,
    #[serde(rename = "out_bytes")]
    pub(crate) bytes_out: f64,
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            messages_in: self.messages_in - before.messages_in,
            messages_out: self.messages_out - before.messages_out,
            bytes_in: self.bytes_in - before.bytes_in,
            bytes_out: self.bytes_out - before.bytes_out,
        }
    }
}

impl Broker {
    /// Starts a broker on an empty folder.
    pub(crate) async fn start() -> Self {
        let monitor = free_address();
        let kept = DEPLOYED
            .lines()
            .filter(|line| !PLACES.iter().any(|place| line.trim_start().starts_with(place)));
        let configuration = kept.fold(format!("http: {monitor}\n"), |all, line| all + line + "\n");
        let server = NatsServer::start_with(&configuration).await;
        Self { server, monitor }
    }

    /// Connects.
    pub(crate) async fn connect(&self) -> Bus {
        let config = BusConfig::new(self.server.url(), "bench");
        let bus = Bus::connect(config).await.expect("the address is one");
        let mut connected = bus.connected();
        connected
            .wait_for(|connected| *connected)
            .await
            .expect("the bus lives");
        bus
    }

    /// What went through it so far. Nothing when it does not tell.
    pub(crate) async fn traffic(&self) -> Traffic {
        self.told().await.unwrap_or_default()
    }

    async fn told(&self) -> std::io::Result<Traffic> {
        let mut stream = TcpStream::connect(self.monitor).await?;
        // Of this version of HTTP the body is what comes until the end.
        stream.write_all(b"GET /varz HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(serde_json::from_str(body)?)
    }
}

/// Creates streams, buckets and consumers that are missing, as the services do.
pub(crate) async fn create_topology(bus: &Bus) {
    let created = bus.ensure_topology(OnDifference::Keep).await;
    created.expect("the broker takes the topology");
}

/// The system gives it to nobody else for a while.
fn free_address() -> SocketAddr {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = socket.and_then(|socket| socket.local_addr());
    address.expect("a free port")
}
