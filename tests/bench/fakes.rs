//! The bot's webhook and the owner's callback, as lean as can be: both read a request whole, look for the token,
//! and answer a few fixed bytes.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, spawn_local};

use crate::http::{Connection, Message};
use crate::ledger::Ledger;
use crate::token::Token;

/// What the receiver answers.
const TAKEN: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const FAILED: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
/// Text of a reply besides the token.
const REPLY_TEXT: &str = "This is what the bot has to say about it.";

/// How a webhook behaves.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Behaviour {
    /// How long it thinks.
    pub(crate) delay: Duration,
    /// Of a thousand first attempts, so many are answered 500.
    pub(crate) failures_per_thousand: u32,
}

/// A server that counts what it is asked.
pub(crate) struct Fake {
    address: SocketAddr,
    counts: Rc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    in_flight: Cell<usize>,
    last_body_bytes: Cell<usize>,
    /// When each request was there, if that is kept.
    arrivals: RefCell<Option<Vec<Instant>>>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Fake {
    /// A webhook that echoes the token of the question.
    pub(crate) async fn backend(behaviour: Behaviour) -> Self {
        Self::serve(move |connection, counts| answer(connection, behaviour, counts)).await
    }

    /// The same, which keeps when it was asked.
    pub(crate) async fn recording(behaviour: Behaviour) -> Self {
        let backend = Self::backend(behaviour).await;
        backend.counts.arrivals.replace(Some(Vec::new()));
        backend
    }

    /// A callback that tells the ledger.
    pub(crate) async fn receiver(ledger: Rc<Ledger>) -> Self {
        Self::serve(move |connection, counts| receive(connection, Rc::clone(&ledger), counts)).await
    }

    async fn serve<F>(handle: impl Fn(Connection, Rc<Counts>) -> F + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + 'static,
    {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let counts = Rc::new(Counts::default());
        let for_connections = Rc::clone(&counts);
        let accepting = spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(connection) = Connection::new(stream) {
                    let serving = handle(connection, Rc::clone(&for_connections));
                    // It ends with the connection; what was lost with it shows in the ledger.
                    spawn_local(async move { drop(serving.await) });
                }
            }
        });
        Self {
            address,
            counts,
            accepting,
        }
    }

    /// Where it is called.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// When it was asked, if that is kept.
    pub(crate) fn arrivals(&self) -> Vec<Instant> {
        self.counts.arrivals.borrow().clone().unwrap_or_default()
    }

    /// Requests that a slow webhook thinks about.
    pub(crate) fn in_flight(&self) -> usize {
        self.counts.in_flight.get()
    }

    /// The size of the last request's body, in bytes.
    pub(crate) fn last_body_bytes(&self) -> usize {
        self.counts.last_body_bytes.get()
    }
}

impl Counts {
    fn note(&self, request: &Message<'_>) {
        if let Some(arrivals) = &mut *self.arrivals.borrow_mut() {
            arrivals.push(Instant::now());
        }
        self.last_body_bytes.set(request.body.len());
    }
}

async fn answer(mut connection: Connection, behaviour: Behaviour, counts: Rc<Counts>) -> std::io::Result<()> {
    while let Some(request) = connection.read().await? {
        counts.note(&request);
        let token = Token::find_last(request.body);
        let answer = match token {
            Some(token) if fails(behaviour, token, &request) => FAILED.to_vec(),
            Some(token) => reply(token),
            None => FAILED.to_vec(),
        };
        if !behaviour.delay.is_zero() {
            counts.in_flight.set(counts.in_flight.get() + 1);
            tokio::time::sleep(behaviour.delay).await;
            counts.in_flight.set(counts.in_flight.get() - 1);
        }
        connection.write(&answer).await?;
    }
    Ok(())
}

/// Which first attempts fail follows from the token, so that every run fails the same ones.
fn fails(behaviour: Behaviour, token: Token, request: &Message<'_>) -> bool {
    let spread = token.conversation.wrapping_mul(7919) + token.number as usize * 104_729;
    behaviour.failures_per_thousand > 0
        && spread % 1000 < behaviour.failures_per_thousand as usize
        && request.header("x-attempt") == Some("1")
}

fn reply(token: Token) -> Vec<u8> {
    let body = format!("{{\"content\":\"{REPLY_TEXT} {token}\"}}");
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

async fn receive(mut connection: Connection, ledger: Rc<Ledger>, counts: Rc<Counts>) -> std::io::Result<()> {
    while let Some(request) = connection.read().await? {
        counts.note(&request);
        ledger.reply(Token::find_last(request.body));
        connection.write(TAKEN).await?;
    }
    Ok(())
}
