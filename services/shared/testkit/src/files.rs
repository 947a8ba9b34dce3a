//! A host of files, for what a reply attaches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::backend::Scripted;
use crate::server::Server;

/// Serves what it was given, and 404 for the rest.
#[derive(Debug)]
pub struct FileHost {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    files: Mutex<HashMap<String, Scripted>>,
    requests: Mutex<Vec<String>>,
}

impl FileHost {
    /// Starts a host on a free port.
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(serve).with_state(shared.clone());
        Self {
            server: Server::start(router).await,
            shared,
        }
    }

    /// Serves `bytes` as `content_type` under `name`, and returns the URL.
    pub fn add(&self, name: &str, content_type: &str, bytes: impl Into<Bytes>) -> String {
        self.add_script(name, Scripted::raw(content_type, bytes))
    }

    /// Answers requests for `name` as scripted: slowly, endlessly, with an error. Returns the URL.
    pub fn add_script(&self, name: &str, script: Scripted) -> String {
        self.shared
            .files
            .lock()
            .unwrap()
            .insert(format!("/{name}"), script);
        self.url(name)
    }

    /// The URL of `name`, whether it is there or not.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{name}", self.server.base_url())
    }

    /// How often `name` was asked for.
    pub fn requests(&self, name: &str) -> usize {
        let path = format!("/{name}");
        self.shared
            .requests
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| **asked == path)
            .count()
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let script = shared.files.lock().unwrap().get(&path).cloned();
    shared.requests.lock().unwrap().push(path);
    match script {
        Some(script) => script.play().await,
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
