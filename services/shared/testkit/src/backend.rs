//! A bot's webhook, as an owner would run it: records what it is asked and answers as scripted.

mod recorded;
mod scripted;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use serde_json::json;

pub use self::recorded::{Ending, Recorded, most_in_flight};
pub use self::scripted::Scripted;
use crate::condition::{PATIENCE, wait_until};
use crate::gate::{Doorway, Gate};
use crate::server::Server;
use crate::tls::{TlsListener, self_signed};

/// A webhook with a script. Answers [`echo`] until told otherwise.
#[derive(Debug)]
pub struct FakeBackend {
    url: String,
    shared: Arc<Shared>,
    _server: Server,
}

type Responder = Arc<dyn Fn(&Recorded) -> Scripted + Send + Sync>;

struct Shared {
    calls: Mutex<Vec<Recorded>>,
    responder: Mutex<Responder>,
    doorway: Doorway,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("calls", &self.calls)
            .finish_non_exhaustive()
    }
}

impl FakeBackend {
    /// Starts a webhook on a free port.
    pub async fn start() -> Self {
        let (shared, router) = parts();
        let server = Server::start(router).await;
        let url = format!("{}/webhook", server.base_url());
        Self {
            url,
            shared,
            _server: server,
        }
    }

    /// Starts a webhook for `localhost` behind TLS, and returns its certificate as PEM besides.
    pub async fn start_with_tls() -> (Self, String) {
        let (shared, router) = parts();
        let (config, certificate) = self_signed();
        let listener = TlsListener::bind(config).await;
        let url = format!("https://localhost:{}/webhook", listener.port());
        let backend = Self {
            url,
            shared,
            _server: Server::serve(listener, router),
        };
        (backend, certificate)
    }

    /// Where it is called. Any path and method are answered.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on answers with what `respond` makes of a call.
    pub fn respond_with(&self, respond: impl Fn(&Recorded) -> Scripted + Send + Sync + 'static) {
        *self.shared.responder.lock().unwrap() = Arc::new(respond);
    }

    /// Holds back the answers to calls that come from now on. They are recorded at once.
    pub fn hold(&self) -> Gate {
        self.shared.doorway.close()
    }

    /// All calls so far, in the order in which their bodies were complete.
    pub fn calls(&self) -> Vec<Recorded> {
        self.shared.calls.lock().unwrap().clone()
    }

    /// Waits until there are at least `count` calls, answered or not, and returns all.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait_for_calls(&self, count: usize) -> Vec<Recorded> {
        wait_until(PATIENCE, &format!("{count} calls of the webhook"), async || {
            self.shared.calls.lock().unwrap().len() >= count
        })
        .await;
        self.calls()
    }
}

fn parts() -> (Arc<Shared>, Router) {
    let shared = Arc::new(Shared {
        calls: Mutex::default(),
        responder: Mutex::new(Arc::new(echo)),
        doorway: Doorway::default(),
    });
    let router = Router::new().fallback(answer).with_state(shared.clone());
    (shared, router)
}

/// Answers with what the bot was told: the number of the user's messages, the last of them, and those before,
/// as `3: c | heard: a,b`. A context that lacks a message cannot give the same text.
pub fn echo(call: &Recorded) -> Scripted {
    let texts = call.texts("user");
    let (last, earlier) = texts
        .split_last()
        .map_or(("", &[][..]), |(last, earlier)| (last, earlier));
    Scripted::Reply(json!({ "content": format!("{}: {last} | heard: {}", texts.len(), earlier.join(",")) }))
}

/// Refuses the first `count` calls with `status`, then answers [`echo`].
pub fn fail_first(count: usize, status: u16) -> impl Fn(&Recorded) -> Scripted + Send + Sync + 'static {
    let failed = AtomicUsize::new(0);
    move |call| {
        if failed.fetch_add(1, Ordering::Relaxed) < count {
            Scripted::status(status)
        } else {
            echo(call)
        }
    }
}

/// Refuses every call with `status`.
pub fn always(status: u16) -> impl Fn(&Recorded) -> Scripted + Send + Sync + 'static {
    move |_| Scripted::status(status)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        // The caller is gone before the end of its own request.
        return Response::default();
    };
    let call = {
        let mut calls = shared.calls.lock().unwrap();
        let call = Recorded::new(calls.len(), head, body);
        calls.push(call.clone());
        call
    };
    let mut open = OpenCall {
        shared: &shared,
        number: call.number,
        ending: Ending::abandoned,
    };
    shared.doorway.pass().await;
    let responder = shared.responder.lock().unwrap().clone();
    let response = responder(&call).play().await;
    open.ending = Ending::answered;
    response
}

/// Writes down how a call ended, also when the caller hangs up and the handler is dropped half-way.
struct OpenCall<'a> {
    shared: &'a Shared,
    number: usize,
    ending: fn() -> Ending,
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if let Ok(mut calls) = self.shared.calls.lock() {
            calls[self.number].ending = (self.ending)();
        }
    }
}
