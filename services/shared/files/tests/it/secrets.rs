//! What becomes of the credentials.

use std::io::Write;
use std::sync::{Arc, Mutex};

use domain::files::content_key;
use testkit::s3::{ACCESS_KEY, SECRET_KEY};
use tracing::instrument::WithSubscriber;
use tracing_subscriber::fmt::MakeWriter;

use crate::fixture::{Fixture, MIB, content, store};

const WRONG_SECRET: &str = "not-the-secret-of-the-bucket";

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_wrong_secret_is_told_without_showing_one() {
    let fixture = Fixture::start().await;
    let files = fixture.with_secret(WRONG_SECRET);
    let error = files.read(&content_key(b"abc"), MIB).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the file store refuses us: our credentials or their permissions are wrong (SignatureDoesNotMatch)"
    );
    let error = format!("{error:?}");
    for secret in [WRONG_SECRET, ACCESS_KEY] {
        assert!(!error.contains(secret), "{error}");
    }
}

#[tokio::test]
async fn no_line_of_the_log_holds_a_secret() {
    let fixture = Fixture::start().await;
    let log = Log::default();
    let collector = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    let work = async {
        let files = fixture.in_s3();
        fixture.s3.fail_next(503, "SlowDown");
        let file = store(&files, "a", &content(10)).await;
        files.read(&file.key, MIB).await.unwrap();
        let refused = fixture.with_secret(WRONG_SECRET);
        refused.read(&file.key, MIB).await.unwrap_err();
    };
    work.with_subscriber(collector).await;
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(text.contains("503"), "the repetition is logged: {text}");
    for secret in [SECRET_KEY, WRONG_SECRET, ACCESS_KEY] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}
