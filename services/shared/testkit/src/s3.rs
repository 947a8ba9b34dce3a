//! A bucket of S3 with the behaviour that matters to whoever keeps files there: requests are signed and the signature
//! is checked over what arrived, parts can be had, and it may be away, ask to slow down, or know no such file.

mod signature;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tempfile::TempDir;

use self::signature::Signed;
use crate::gate::{Doorway, Gate};
use crate::server::Server;
use crate::tls::{TlsListener, self_signed};

/// The access key that the bucket knows.
pub const ACCESS_KEY: &str = "AKIATESTKIT";
/// Its secret.
pub const SECRET_KEY: &str = "testkit/s3cret+of/the/bucket";
/// The bucket.
pub const BUCKET: &str = "files";
/// Where it says it is.
pub const REGION: &str = "eu-test-1";

/// A server with one bucket.
#[derive(Debug)]
pub struct FakeS3 {
    endpoint: String,
    /// Its certificate as PEM, if it speaks TLS.
    certificate: Option<String>,
    shared: Arc<Shared>,
    secrets: TempDir,
    _server: Server,
}

#[derive(Debug, Default)]
struct Shared {
    bucket: Mutex<Bucket>,
    doorway: Doorway,
}

#[derive(Debug, Default)]
struct Bucket {
    objects: BTreeMap<String, Object>,
    calls: Vec<String>,
    failures: VecDeque<(u16, &'static str)>,
    /// Answers everything with this while it is set.
    outage: Option<(u16, &'static str)>,
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    modified: SystemTime,
}

impl FakeS3 {
    /// Starts a server on a free port.
    pub async fn start() -> Self {
        let (shared, router) = parts();
        let server = Server::start(router).await;
        Self {
            endpoint: server.base_url(),
            certificate: None,
            shared,
            secrets: tempfile::tempdir().unwrap(),
            _server: server,
        }
    }

    /// Starts a server for `localhost` behind TLS, with a certificate of its own.
    pub async fn start_with_tls() -> Self {
        let (shared, router) = parts();
        let (config, certificate) = self_signed();
        let listener = TlsListener::bind(config).await;
        Self {
            endpoint: format!("https://localhost:{}", listener.port()),
            certificate: Some(certificate),
            shared,
            secrets: tempfile::tempdir().unwrap(),
            _server: Server::serve(listener, router),
        }
    }

    /// What a service is configured with to keep its files here.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("FILES", "s3".to_owned()),
            ("FILES_S3_BUCKET", BUCKET.to_owned()),
            ("FILES_S3_ENDPOINT", self.endpoint.clone()),
            ("FILES_S3_REGION", REGION.to_owned()),
            ("FILES_S3_ACCESS_KEY", self.secret("access-key", ACCESS_KEY)),
            ("FILES_S3_SECRET_KEY", self.secret("secret-key", SECRET_KEY)),
        ];
        if let Some(certificate) = &self.certificate {
            settings.push(("FILES_S3_CA_FILE", self.kept("certificate", certificate)));
        }
        settings
    }

    /// A reference to a secret of this value.
    pub fn secret(&self, name: &str, value: &str) -> String {
        format!("file:{}", self.kept(name, value))
    }

    fn kept(&self, name: &str, value: &str) -> String {
        let path = self.secrets.path().join(name);
        std::fs::write(&path, value).unwrap();
        path.display().to_string()
    }

    /// Puts a file into the bucket.
    pub fn add(&self, key: &str, bytes: impl Into<Bytes>) {
        let object = Object {
            bytes: bytes.into(),
            modified: SystemTime::now(),
        };
        self.bucket().objects.insert(key.to_owned(), object);
    }

    /// The keys in the bucket.
    pub fn keys(&self) -> Vec<String> {
        self.bucket().objects.keys().cloned().collect()
    }

    /// How often a method was called, whatever the answer.
    pub fn calls(&self, method: &str) -> usize {
        let bucket = self.bucket();
        bucket.calls.iter().filter(|called| *called == method).count()
    }

    /// Answers the next call with an error; several calls of this queue up.
    pub fn fail_next(&self, status: u16, code: &'static str) {
        self.bucket().failures.push_back((status, code));
    }

    /// Answers every call with an error until [`FakeS3::recover`].
    pub fn break_down(&self, status: u16, code: &'static str) {
        self.bucket().outage = Some((status, code));
    }

    /// Ends an outage.
    pub fn recover(&self) {
        self.bucket().outage = None;
    }

    /// Holds back answers to what comes from now on.
    pub fn hold(&self) -> Gate {
        self.shared.doorway.close()
    }

    /// Makes a file look as if it had been stored so much earlier.
    pub fn age(&self, key: &str, by: Duration) {
        self.bucket().objects.get_mut(key).unwrap().modified -= by;
    }

    /// Removes a file, as a lifecycle rule does.
    pub fn remove(&self, key: &str) {
        self.bucket().objects.remove(key).unwrap();
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.shared.bucket.lock().unwrap()
    }
}

fn parts() -> (Arc<Shared>, Router) {
    let shared = Arc::new(Shared::default());
    let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
    (shared, router)
}

/// Settings as most tests hand them on.
pub fn borrowed<'a>(settings: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    let settings = settings.iter();
    settings.map(|(key, value)| (*key, value.as_str())).collect()
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    shared.doorway.pass().await;
    let mut bucket = shared.bucket.lock().unwrap();
    bucket.calls.push(head.method.to_string());
    let outage = bucket.outage;
    if let Some((status, code)) = bucket.failures.pop_front().or(outage) {
        return error(status, code, "");
    }
    let signed = Signed {
        method: &head.method,
        uri: &head.uri,
        headers: &head.headers,
        body: &body,
    };
    if let Err(refusal) = signed.check(ACCESS_KEY, SECRET_KEY, REGION) {
        return error(403, refusal.code, &refusal.detail);
    }
    let Some(key) = head.uri.path().strip_prefix(&format!("/{BUCKET}/")) else {
        return error(404, "NoSuchBucket", "");
    };
    bucket.respond(&head.method, key, &head.headers, body)
}

impl Bucket {
    fn respond(&mut self, method: &Method, key: &str, headers: &HeaderMap, body: Bytes) -> Response {
        if method == Method::PUT {
            let modified = SystemTime::now();
            self.objects.insert(
                key.to_owned(),
                Object {
                    bytes: body,
                    modified,
                },
            );
            return (StatusCode::OK, [(header::ETAG, "\"etag\"")]).into_response();
        }
        match self.objects.get(key) {
            Some(object) if method == Method::HEAD || method == Method::GET => object.shown(headers),
            Some(_) => error(405, "MethodNotAllowed", ""),
            None => error(404, "NoSuchKey", key),
        }
    }
}

impl Object {
    /// The answer to GET, which is that to HEAD too but for the body, which the server leaves out.
    fn shown(&self, headers: &HeaderMap) -> Response {
        let length = self.bytes.len();
        let about = [
            (header::ETAG, "\"etag\"".to_owned()),
            (header::LAST_MODIFIED, httpdate::fmt_http_date(self.modified)),
            (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        ];
        let Some(asked) = headers.get(header::RANGE) else {
            return (about, self.bytes.clone()).into_response();
        };
        let asked = asked.to_str().unwrap().strip_prefix("bytes=").unwrap();
        let (first, last) = asked.split_once('-').unwrap();
        let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
        if first >= length {
            return error(416, "InvalidRange", "");
        }
        let last = last.min(length - 1);
        let range = [(header::CONTENT_RANGE, format!("bytes {first}-{last}/{length}"))];
        let part = self.bytes.slice(first..=last);
        (StatusCode::PARTIAL_CONTENT, about, range, part).into_response()
    }
}

fn error(status: u16, code: &str, detail: &str) -> Response {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{detail}</Message></Error>"
    );
    let status = StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}
