//! A broker, an S3, and the store of files as a service opens it.

use bus::{Bus, BusConfig, OnDifference};
use bytes::Bytes;
use files::{Files, FilesConfig};
use proto_schemas::content::StoredFile;
use runtime::config::Reader;
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;
use testkit::s3::FakeS3;

pub(crate) const MIB: usize = 1 << 20;
/// What stands before every key in the bucket.
pub(crate) const PREFIX: &str = "chatbot/test";

pub(crate) struct Fixture {
    pub(crate) bus: Bus,
    pub(crate) s3: FakeS3,
    _nats: NatsServer,
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::beside(FakeS3::start().await).await
    }

    pub(crate) async fn beside(s3: FakeS3) -> Self {
        let nats = NatsServer::start().await;
        let config = BusConfig::new(nats.url(), "test");
        let bus = Bus::connect(config).await.unwrap();
        wait_until(PATIENCE, "the topology", async || {
            bus.ensure_topology(OnDifference::Keep).await.is_ok()
        })
        .await;
        Self { bus, s3, _nats: nats }
    }

    /// The store in the broker.
    pub(crate) fn in_broker(&self) -> Files {
        Files::in_broker(self.bus.clone())
    }

    /// The store in S3.
    pub(crate) fn in_s3(&self) -> Files {
        self.configured(&[])
    }

    /// The store in S3 with a secret that the bucket does not know.
    pub(crate) fn with_secret(&self, secret: &str) -> Files {
        let secret = self.s3.secret("wrong", secret);
        self.configured(&[("FILES_S3_SECRET_KEY", &secret)])
    }

    /// The store in S3, with settings besides those that every test needs; they win.
    pub(crate) fn configured(&self, settings: &[(&str, &str)]) -> Files {
        let fixed = self.s3.settings().into_iter();
        let fixed = fixed.map(|(key, value)| (key.to_owned(), value));
        let prefix = [("FILES_S3_PREFIX", PREFIX)];
        let besides = prefix.iter().chain(settings);
        let besides = besides.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(fixed.chain(besides));
        let config = FilesConfig::read(&mut reader);
        reader.finish().unwrap();
        config.open(self.bus.clone()).unwrap()
    }
}

/// Stores bytes under a name.
pub(crate) async fn store(files: &Files, name: &str, bytes: &Bytes) -> StoredFile {
    let stored = files.store(name.to_owned(), "text/plain".to_owned(), bytes);
    stored.await.unwrap()
}

/// Bytes that differ from place to place.
pub(crate) fn content(size: usize) -> Bytes {
    (0..size)
        .map(|at| u8::try_from((at / 1000 + at) % 251).unwrap())
        .collect()
}
