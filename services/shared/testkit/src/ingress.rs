//! ingress as who pushes over the HTTP channel has it: takes what is signed, refuses the rest with 401 (`channels.md`,
//! section 5).

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::callback::now_seconds;
use crate::server::Server;
use crate::signature::verify;

/// Takes messages, and answers each with the identifier that it was started with.
#[derive(Debug)]
pub struct FakeIngress {
    server: Server,
    shared: Arc<Shared>,
}

/// A message with a valid signature.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// Where it was posted.
    pub path: String,
    /// The body.
    pub body: Value,
}

#[derive(Debug)]
struct Shared {
    secret: String,
    message: String,
    pushed: Mutex<Vec<Pushed>>,
    answer_next: Mutex<Option<(StatusCode, String)>>,
}

impl FakeIngress {
    /// Starts on a free port. Messages are to be signed with `secret` (`whsec_…`), and become `message`.
    pub async fn start(secret: &str, message: &str) -> Self {
        let shared = Arc::new(Shared {
            secret: secret.to_owned(),
            message: message.to_owned(),
            pushed: Mutex::default(),
            answer_next: Mutex::default(),
        });
        let router = Router::new().fallback(take).with_state(shared.clone());
        Self {
            server: Server::start(router).await,
            shared,
        }
    }

    /// Where it is, without a slash at the end.
    pub fn url(&self) -> String {
        self.server.base_url()
    }

    /// What was taken, in order.
    pub fn pushed(&self) -> Vec<Pushed> {
        self.shared.pushed.lock().unwrap().clone()
    }

    /// Answers the next message that is signed with this, and does not take it.
    pub fn answer_next(&self, status: u16, body: &str) {
        let status = StatusCode::from_u16(status).unwrap();
        *self.shared.answer_next.lock().unwrap() = Some((status, body.to_owned()));
    }
}

async fn take(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::default();
    };
    if let Err(why) = verify(&shared.secret, &head.headers, &body, now_seconds()) {
        return (StatusCode::UNAUTHORIZED, why).into_response();
    }
    if let Some(answer) = shared.answer_next.lock().unwrap().take() {
        return answer.into_response();
    }
    shared.pushed.lock().unwrap().push(Pushed {
        path: head.uri.path().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    });
    Json(json!({"id": shared.message})).into_response()
}
