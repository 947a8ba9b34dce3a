//! Discord's Gateway with the behaviour that matters to a bot (`channels.md`, section 4.1.1): sessions that outlive
//! their connections, events with sequences, told again to who resumes.

mod connection;
mod event;
mod sessions;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::serve::Listener;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use self::event::{BOT_USER, direct_message, guild_message, mention};
use self::sessions::Sessions;
use crate::condition::{PATIENCE, wait_until};
use crate::tls::{TlsListener, self_signed};

/// The Gateway of one bot. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct FakeGateway {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    url: String,
    token: String,
    sessions: Mutex<Sessions>,
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl FakeGateway {
    /// Starts a server on a free port that knows only `token`; any other is closed with 4004.
    pub async fn start(token: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        Self::serve(listener, url, token)
    }

    /// The same over TLS, and the certificate that it is to be trusted by, as PEM.
    pub async fn start_with_tls(token: &str) -> (Self, String) {
        let (config, pem) = self_signed();
        let listener = TlsListener::bind(config).await;
        let url = format!("wss://localhost:{}", listener.port());
        (Self::serve(listener, url, token), pem)
    }

    fn serve<L>(listener: L, url: String, token: &str) -> Self
    where
        L: Listener<Addr = SocketAddr>,
    {
        let shared = Arc::new(Shared {
            url,
            token: token.to_owned(),
            sessions: Mutex::default(),
        });
        let accepting = tokio::spawn(connection::accept(listener, Arc::clone(&shared)));
        Self { shared, accepting }
    }

    /// What takes the place of `wss://gateway.discord.gg`.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Tells the bot of a message, now or when its session is resumed; returns the sequence of the event.
    ///
    /// # Panics
    /// When the bot has no session: Discord would tell nobody.
    pub fn says(&self, message: Value) -> u64 {
        self.sessions().dispatch("MESSAGE_CREATE", message)
    }

    /// Tells the bot of anything else.
    ///
    /// # Panics
    /// As [`FakeGateway::says`].
    pub fn tells(&self, event: &str, data: Value) -> u64 {
        self.sessions().dispatch(event, data)
    }

    /// How many sessions were begun, or tried to.
    pub fn identifies(&self) -> usize {
        self.sessions().identifies
    }

    /// The sequences behind which sessions were resumed.
    pub fn resumes(&self) -> Vec<u64> {
        self.sessions().resumes.clone()
    }

    /// How many connections are open, whatever they are used for.
    pub fn connections(&self) -> usize {
        self.sessions().connections
    }

    /// How many sessions are read at the moment.
    pub fn live_sessions(&self) -> usize {
        self.sessions().live()
    }

    /// The most sessions that were read at once.
    pub fn most_live_sessions(&self) -> usize {
        self.sessions().most_live
    }

    /// The codes with which the bot closed its connections.
    pub fn farewells(&self) -> Vec<u16> {
        self.sessions().farewells.clone()
    }

    /// Waits until a session is read.
    ///
    /// # Panics
    /// When none is in time.
    pub async fn wait_for_session(&self) {
        wait_until(PATIENCE, "a session of the Gateway", async || {
            self.live_sessions() > 0
        })
        .await;
    }

    /// Asks the bot to connect again (op 7).
    pub fn ask_to_reconnect(&self) {
        self.sessions().send_all(r#"{"op":7,"d":null,"s":null,"t":null}"#);
    }

    /// Closes all connections with a code.
    pub fn close_all(&self, code: u16) {
        self.sessions().close_all(code);
    }

    /// Forgets all sessions: who resumes one is told so (op 9), and connections are closed.
    pub fn forget_sessions(&self) {
        let mut sessions = self.sessions();
        sessions.close_all(4000);
        sessions.forget();
    }

    /// Forgets all sessions: connections are closed with this code, and so is who resumes one from now on.
    pub fn end_sessions(&self, code: u16) {
        let mut sessions = self.sessions();
        sessions.close_all(code);
        sessions.forget();
        sessions.ended_with = Some(code);
    }

    /// Closes every connection that identifies with this code, as for intents that are not allowed.
    pub fn refuse_with(&self, code: u16) {
        self.sessions().refuse_with = Some(code);
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.shared.sessions()
    }
}

impl Shared {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap()
    }
}
