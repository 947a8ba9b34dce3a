//! Both ends of our own HTTP channel, as its user has them: pushes messages to ingress and receives the
//! replies, with Standard Webhooks signatures either way (`channels.md`, section 5).

mod push;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

pub use self::push::{new_secret, push, push_with_id, sign_push, text_message};
use crate::condition::{PATIENCE, wait_for, wait_until};
use crate::count::Count;
use crate::gate::{Doorway, Gate};
use crate::server::Server;
use crate::signature::verify;

/// Receives replies at a callback URL. What is not signed with its secret is refused with 401 and kept apart.
#[derive(Debug)]
pub struct CallbackReceiver {
    server: Server,
    shared: Arc<Shared>,
}

/// One request with a valid signature.
#[derive(Debug, Clone)]
pub struct Received {
    /// `webhook-id`: the same for every attempt of a part.
    pub id: String,
    /// `webhook-timestamp`, in seconds.
    pub timestamp: u64,
    /// The body.
    pub body: Value,
    /// When it came.
    pub at: Instant,
    /// What it was answered.
    pub status: u16,
}

impl Received {
    /// The body's `text`; empty if there is none.
    pub fn text(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }

    /// The body's `conversation_id`: the chat as the channel's user named it.
    pub fn conversation_id(&self) -> &str {
        self.body["conversation_id"].as_str().unwrap_or_default()
    }
}

#[derive(Debug)]
struct Shared {
    secret: String,
    attempts: Mutex<Vec<Received>>,
    refusals: Mutex<Vec<String>>,
    failures: Mutex<VecDeque<Failure>>,
    doorway: Doorway,
    /// How many attempts there are.
    count: Count,
}

#[derive(Debug, Clone)]
struct Failure {
    status: u16,
    retry_after: Option<u64>,
}

impl CallbackReceiver {
    /// Starts a receiver on a free port that expects signatures of `secret` (`whsec_…`).
    pub async fn start(secret: &str) -> Self {
        let shared = Arc::new(Shared {
            secret: secret.to_owned(),
            attempts: Mutex::default(),
            refusals: Mutex::default(),
            failures: Mutex::default(),
            doorway: Doorway::default(),
            count: Count::default(),
        });
        let router = Router::new().fallback(receive).with_state(shared.clone());
        Self {
            server: Server::start(router).await,
            shared,
        }
    }

    /// Where replies are to be posted.
    pub fn url(&self) -> String {
        format!("{}/callback", self.server.base_url())
    }

    /// The replies that were taken, in order; one that came twice is there twice.
    pub fn received(&self) -> Vec<Received> {
        self.attempts()
            .into_iter()
            .filter(|attempt| attempt.status < 300)
            .collect()
    }

    /// Every request with a valid signature, also those answered with a scripted failure.
    pub fn attempts(&self) -> Vec<Received> {
        self.shared.attempts.lock().unwrap().clone()
    }

    /// The attempts after the first `seen`, when there are any.
    pub async fn attempts_after(&self, seen: usize) -> Vec<Received> {
        self.shared.count.more_than(seen).await;
        self.shared.attempts.lock().unwrap()[seen..].to_vec()
    }

    /// Why requests were refused with 401: one text for each.
    pub fn refusals(&self) -> Vec<String> {
        self.shared.refusals.lock().unwrap().clone()
    }

    /// Answers the next `count` requests with `status`.
    pub fn fail_next(&self, count: usize, status: u16) {
        self.fail(
            count,
            Failure {
                status,
                retry_after: None,
            },
        );
    }

    /// Answers the next `count` requests with `status` and `Retry-After: seconds`.
    pub fn fail_next_with_retry_after(&self, count: usize, status: u16, seconds: u64) {
        self.fail(
            count,
            Failure {
                status,
                retry_after: Some(seconds),
            },
        );
    }

    /// Holds back the answers to requests that come from now on. They are recorded at once, and count as
    /// received: what is killed meanwhile has delivered without knowing it.
    pub fn hold(&self) -> Gate {
        self.shared.doorway.close()
    }

    /// Waits until at least `count` replies were taken, and returns all.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        wait_until(PATIENCE, &format!("{count} replies"), async || {
            self.received().len() >= count
        })
        .await;
        self.received()
    }

    /// Waits for a reply whose text contains `part`.
    ///
    /// # Panics
    /// When none comes in time.
    pub async fn wait_for_text(&self, part: &str) -> Received {
        wait_for(PATIENCE, &format!("a reply with {part:?}"), async || {
            self.received()
                .into_iter()
                .find(|reply| reply.text().contains(part))
        })
        .await
    }

    fn fail(&self, count: usize, failure: Failure) {
        self.shared
            .failures
            .lock()
            .unwrap()
            .extend(std::iter::repeat_n(failure, count));
    }
}

async fn receive(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::default();
    };
    let (id, timestamp) = match verify(&shared.secret, &head.headers, &body, now_seconds()) {
        Ok(signed) => signed,
        Err(reason) => return shared.refuse(reason),
    };
    let failure = shared.failures.lock().unwrap().pop_front();
    let status = failure.as_ref().map_or(200, |failure| failure.status);
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    shared.keep(Received {
        id,
        timestamp,
        body,
        at: Instant::now(),
        status,
    });
    shared.doorway.pass().await;
    let retry_after = failure.and_then(|failure| failure.retry_after);
    let headers = retry_after.map(|seconds| [("retry-after", seconds.to_string())]);
    let status = StatusCode::from_u16(status).unwrap();
    headers.map_or_else(
        || status.into_response(),
        |headers| (status, headers).into_response(),
    )
}

impl Shared {
    fn keep(&self, attempt: Received) {
        let mut attempts = self.attempts.lock().unwrap();
        attempts.push(attempt);
        self.count.reach(attempts.len());
    }

    fn refuse(&self, reason: String) -> Response {
        self.refusals.lock().unwrap().push(reason);
        StatusCode::UNAUTHORIZED.into_response()
    }
}

pub(crate) fn now_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970")
        .as_secs()
}
