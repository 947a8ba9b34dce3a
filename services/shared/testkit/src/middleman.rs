//! An HTTP middleman: stands between two real parts and tampers with what passes. With it a test plants a
//! fault that the parts themselves do not have.

use std::fmt;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use bytes::Bytes;

use crate::client::client;
use crate::server::Server;

/// What passes.
#[derive(Debug, Clone)]
pub struct Passing {
    /// The request's headers.
    pub headers: HeaderMap,
    /// The request's body.
    pub body: Bytes,
}

type Tamper = Box<dyn FnMut(Passing) -> Vec<Passing> + Send>;

/// Passes every request on to one address, as its tampering has it. Answers with what the last request that it
/// passed on for it was answered, or with 200 when it passed on none.
#[derive(Debug)]
pub struct Middleman {
    server: Server,
}

struct Shared {
    target: String,
    tamper: Mutex<Tamper>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Middleman {
    /// Starts a middleman before the URL `target`. `tamper` says what is passed on in place of each request.
    pub async fn start(target: &str, tamper: impl FnMut(Passing) -> Vec<Passing> + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            tamper: Mutex::new(Box::new(tamper)),
        });
        let router = Router::new().fallback(pass).with_state(shared);
        Self {
            server: Server::start(router).await,
        }
    }

    /// Where it takes requests in the target's place. Any path is passed on to the target's own.
    pub fn url(&self) -> String {
        format!("{}/", self.server.base_url())
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
        return Response::default();
    };
    let passing = Passing {
        headers: head.headers,
        body,
    };
    let instead = (shared.tamper.lock().unwrap())(passing);
    let mut answer = Response::default();
    for passing in instead {
        answer = forward(&shared.target, passing).await;
    }
    answer
}

async fn forward(target: &str, mut passing: Passing) -> Response {
    // The client writes its own.
    passing.headers.remove("host");
    passing.headers.remove("content-length");
    let request = client().request(Method::POST, target);
    let answer = request.headers(passing.headers).body(passing.body).send().await;
    let bad_gateway = || {
        let mut answer = Response::default();
        *answer.status_mut() = StatusCode::BAD_GATEWAY;
        answer
    };
    let Ok(answer) = answer else {
        return bad_gateway();
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else {
        return bad_gateway();
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}
