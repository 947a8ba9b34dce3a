//! The connection: kept for ever, quick to notice a dead peer, quick to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, Event};
use proto_schemas::access::inbox_prefix;
use rand::RngExt;
use tokio::sync::watch;

use crate::{BusError, Identity, Spans, UserKey};

/// A dead peer is noticed after about two of these; the client's own default takes minutes.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The longest pause between two attempts to reconnect; the client's own default grows to 4 s.
const RECONNECT_CAP: Duration = Duration::from_millis(250);
const RECONNECT_FIRST: Duration = Duration::from_millis(20);
/// How long a request may take before the broker counts as away.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// How to reach the broker.
#[derive(Debug, Clone)]
pub struct BusConfig {
    /// `nats://host:port`, or `tls://` to demand TLS; several separated by commas.
    pub url: String,
    /// The connection's name, as the server's monitoring shows it; answers come to an inbox of this name. One token of a
    /// subject.
    pub name: String,
    /// Copies of each stream, when they are created.
    pub replicas: usize,
    /// Takes the place of every consumer's `ack_wait`, when they are created.
    pub ack_wait: Option<Duration>,
}

impl BusConfig {
    /// For a broker of one server: one copy of each stream, and the consumers' own `ack_wait`.
    pub fn new(url: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: name.into(),
            replicas: 1,
            ack_wait: None,
        }
    }
}

/// A handle to the broker. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Bus {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) config: Arc<BusConfig>,
    identity: Arc<Identity>,
    connected: watch::Receiver<bool>,
    reconnects: watch::Receiver<u64>,
    permission_errors: Arc<AtomicU64>,
    pub(crate) spans: Spans,
}

/// The time from a connect to the next loss of the connection. What was handed out in one may be given to others in
/// the next: a server that was killed does not remember all of it.
#[derive(Debug, Clone)]
pub struct Session {
    reconnects: watch::Receiver<u64>,
    began_at: u64,
}

impl Session {
    /// Whether the connection was not lost since.
    pub fn lasts(&self) -> bool {
        *self.reconnects.borrow() == self.began_at
    }

    /// Waits until it is lost.
    pub async fn over(&mut self) {
        let began_at = self.began_at;
        let changed = |reconnects: &u64| *reconnects != began_at;
        let is_lost = self.reconnects.wait_for(changed).await.is_ok();
        if !is_lost {
            // The client is no more, and tells of nothing.
            std::future::pending().await
        }
    }
}

impl Bus {
    /// Connects, and keeps trying in the background for as long as it takes: see [`Bus::connected`].
    ///
    /// # Errors
    /// [`BusError::Refused`] when the address is no address.
    pub async fn connect(config: BusConfig) -> Result<Self, BusError> {
        Self::connect_as(config, Identity::default()).await
    }

    /// As [`Bus::connect`], to a broker that asks who one is, or speaks TLS.
    ///
    /// # Errors
    /// As for [`Bus::connect`].
    pub async fn connect_as(config: BusConfig, identity: Identity) -> Result<Self, BusError> {
        let options = options(&config, &identity).retry_on_initial_connect();
        // Boxed: it takes kilobytes, once.
        Box::pin(Self::open(config, identity, options)).await
    }

    /// One more connection to the same broker, as another of its users. It stands when this returns, and is kept then.
    ///
    /// # Errors
    /// [`BusError::Refused`] when the broker is away or does not take the key, [`BusError::Unavailable`] when connecting
    /// takes too long.
    pub async fn beside(&self, name: &str, key: UserKey) -> Result<Self, BusError> {
        let config = BusConfig {
            name: name.to_owned(),
            ..self.config.as_ref().clone()
        };
        let identity = Identity {
            key: Some(key),
            roots: self.identity.roots.clone(),
        };
        let options = options(&config, &identity);
        let bus = Box::pin(Self::open(config, identity, options)).await?;
        let mut connected = bus.connected();
        let told = tokio::time::timeout(REQUEST_TIMEOUT, connected.wait_for(|connected| *connected));
        match told.await {
            Ok(Ok(_)) => Ok(bus),
            Ok(Err(_)) | Err(_) => Err(BusError::Unavailable("connecting took too long".to_owned())),
        }
    }

    /// Whether the broker was shown a key: it knows its users, then.
    pub fn shows_a_key(&self) -> bool {
        self.identity.key.is_some()
    }

    async fn open(config: BusConfig, identity: Identity, options: ConnectOptions) -> Result<Self, BusError> {
        let (state, connected) = watch::channel(false);
        let (losses, reconnects) = watch::channel(0);
        let permission_errors = Arc::default();
        let noted = Noted {
            connected: state,
            reconnects: losses,
            permission_errors: Arc::clone(&permission_errors),
        };
        let options = options.event_callback(move |event| {
            noted.note(&event);
            std::future::ready(())
        });
        let client = options
            .connect(servers(&config.url))
            .await
            .map_err(|error| BusError::Refused {
                code: 0,
                description: error.to_string(),
            })?;
        let jetstream = jetstream::new(client.clone());
        Ok(Self {
            client,
            jetstream,
            config: Arc::new(config),
            identity: Arc::new(identity),
            connected,
            reconnects,
            permission_errors,
            spans: Spans::default(),
        })
    }

    /// Why there is no connection, found out by one more attempt at it, as the client keeps the causes of its own to
    /// itself: nobody listens, a certificate is not trusted, the key is unknown. None when the attempt succeeds.
    pub async fn trouble(&self) -> Option<String> {
        let attempt = options(&self.config, &self.identity).connect(servers(&self.config.url));
        attempt.await.err().map(|error| error.to_string())
    }

    /// Whether the connection stands, and when that changes.
    pub fn connected(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    /// How often the connection came back, or is about to.
    pub fn reconnects(&self) -> u64 {
        *self.reconnects.borrow()
    }

    /// The present session; while the broker is away the next one.
    pub fn session(&self) -> Session {
        Session {
            reconnects: self.reconnects.clone(),
            began_at: self.reconnects(),
        }
    }

    /// How often the server refused a subject.
    pub fn permission_errors(&self) -> u64 {
        self.permission_errors.load(Ordering::Relaxed)
    }

    /// Sends what lies in the client's buffer, such as acknowledgements, before the process ends.
    ///
    /// # Errors
    /// [`BusError::Unavailable`] when the broker is away.
    pub async fn flush(&self) -> Result<(), BusError> {
        match tokio::time::timeout(REQUEST_TIMEOUT, self.client.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(BusError::Unavailable(error.to_string())),
            Err(_) => Err(BusError::Unavailable("flushing took too long".to_owned())),
        }
    }

    /// Fails at once while the broker is away, so that callers need not wait for a time-out.
    pub(crate) fn check_connected(&self) -> Result<(), BusError> {
        if *self.connected.borrow() {
            return Ok(());
        }
        Err(BusError::Unavailable("not connected to the broker".to_owned()))
    }
}

fn options(config: &BusConfig, identity: &Identity) -> ConnectOptions {
    let mut options = ConnectOptions::new()
        .name(&config.name)
        .custom_inbox_prefix(inbox_prefix(&config.name))
        .ping_interval(PING_INTERVAL)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .reconnect_delay_callback(reconnect_delay);
    if let Some(key) = &identity.key {
        options = options.nkey(key.seed().to_owned());
    }
    if let Some(roots) = &identity.roots {
        options = options.add_root_certificates(roots.clone()).require_tls(true);
    }
    options
}

fn servers(url: &str) -> Vec<&str> {
    url.split(',').map(str::trim).collect()
}

fn reconnect_delay(attempts: usize) -> Duration {
    let doubled = RECONNECT_FIRST.saturating_mul(1 << attempts.min(6));
    doubled
        .min(RECONNECT_CAP)
        .mul_f64(rand::rng().random_range(0.8..1.2))
}

/// What the client's events are written down in.
struct Noted {
    connected: watch::Sender<bool>,
    reconnects: watch::Sender<u64>,
    permission_errors: Arc<AtomicU64>,
}

impl Noted {
    fn note(&self, event: &Event) {
        match event {
            Event::Connected => {
                self.connected.send_replace(true);
                tracing::info!("connected to the broker");
            }
            Event::Disconnected => {
                self.connected.send_replace(false);
                self.reconnects.send_modify(|reconnects| *reconnects += 1);
                tracing::warn!("lost the broker; reconnecting");
            }
            Event::Closed => {
                self.connected.send_replace(false);
            }
            Event::ServerError(error) => {
                let text = error.to_string();
                if text.to_ascii_lowercase().contains("permissions violation") {
                    self.permission_errors.fetch_add(1, Ordering::Relaxed);
                    // The text names the subject. Whoever published there waits for a confirmation in vain.
                    tracing::error!(error = text, "this user of the broker has no right to do so");
                } else {
                    tracing::error!(error = text, "the broker refused something");
                }
            }
            Event::SlowConsumer(_) => tracing::error!("a subscription overflowed and lost messages"),
            Event::LameDuckMode => tracing::warn!("the broker is about to shut down"),
            Event::Draining => tracing::debug!("draining the connection"),
            Event::ClientError(error) => {
                tracing::debug!(error = error.to_string(), "connection attempt failed")
            }
        }
    }
}
