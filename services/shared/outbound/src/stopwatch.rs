//! How long the parts of one call take, noted where they begin and end.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use tower::{Layer, Service};

/// Notes when the parts of a call begin and end. For one call of a client of its own: over a connection that was
/// used before there would be nothing to note.
#[derive(Debug, Default)]
pub struct Stopwatch {
    marks: Mutex<Marks>,
}

#[derive(Debug, Default)]
struct Marks {
    connecting: Option<Instant>,
    resolving: Option<Instant>,
    resolved: Option<Instant>,
    handshaking: Option<Instant>,
    connected: Option<Instant>,
    answered: Option<Instant>,
    status: Option<u16>,
}

/// What the parts of a call took. A part that did not take place, or did not come to its end, has no time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Phases {
    /// Looking the name up. None for an address in place of a name.
    pub dns: Option<Duration>,
    /// The TCP connection: from the name's addresses to the first that took it.
    pub connect: Option<Duration>,
    /// The TLS handshake, whole: no session is resumed.
    pub tls: Option<Duration>,
    /// From the connection that stands to the head of the response: sending the request, and the peer's thinking.
    pub first_byte: Option<Duration>,
}

impl Stopwatch {
    /// What the parts took, as far as the call has come.
    pub fn phases(&self) -> Phases {
        let marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let between = |from: Option<Instant>, to: Option<Instant>| Some(to?.duration_since(from?));
        Phases {
            dns: between(marks.resolving, marks.resolved),
            connect: between(
                marks.resolved.or(marks.connecting),
                marks.handshaking.or(marks.connected),
            ),
            tls: between(marks.handshaking, marks.connected),
            first_byte: between(marks.connected, marks.answered),
        }
    }

    /// The status of the response, if there is one.
    pub fn status(&self) -> Option<u16> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).status
    }

    pub(crate) fn resolving(&self) {
        self.mark(|marks| &mut marks.resolving);
    }

    pub(crate) fn resolved(&self) {
        self.mark(|marks| &mut marks.resolved);
    }

    pub(crate) fn answered(&self, status: u16) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        (marks.answered, marks.status) = (Some(Instant::now()), Some(status));
    }

    fn mark(&self, which: impl FnOnce(&mut Marks) -> &mut Option<Instant>) {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        which(&mut marks).get_or_insert_with(Instant::now);
    }
}

/// Around the client's connector, whose work is resolving, TCP and TLS.
#[derive(Clone)]
pub(crate) struct Connecting(pub(crate) Arc<Stopwatch>);

/// A connector that is watched.
#[derive(Clone)]
pub(crate) struct Watched<S> {
    inner: S,
    stopwatch: Arc<Stopwatch>,
}

impl<S> Layer<S> for Connecting {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        let stopwatch = Arc::clone(&self.0);
        Watched { inner, stopwatch }
    }
}

impl<S, R> Service<R> for Watched<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let stopwatch = Arc::clone(&self.stopwatch);
        stopwatch.mark(|marks| &mut marks.connecting);
        let connection = self.inner.call(target);
        Box::pin(async move {
            let connection = connection.await?;
            stopwatch.mark(|marks| &mut marks.connected);
            Ok(connection)
        })
    }
}

/// A store that holds no session: the question for one is the first thing that a handshake does, once the TCP
/// connection stands.
#[derive(Debug)]
pub(crate) struct Handshaking(pub(crate) Arc<Stopwatch>);

impl ClientSessionStore for Handshaking {
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.mark(|marks| &mut marks.handshaking);
        None
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}
}
