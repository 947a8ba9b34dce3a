//! One account of each channel, with secrets that the properties know.

use std::sync::LazyLock;

use channels::Account;
use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const WEBHOOK_SECRET: &str = "Hook_Secret-1";
pub(crate) const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub(crate) const HTTP_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What Discord signs with: the seed of RFC 8032's first test.
pub(crate) static DISCORD_KEY: LazyLock<SigningKey> = LazyLock::new(|| {
    let seed = HEXLOWER.decode(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let seed = seed.expect("the seed is hexadecimal");
    SigningKey::try_from(seed.as_slice()).expect("the seed has 32 bytes")
});

pub(crate) static TELEGRAM: LazyLock<Account> = LazyLock::new(|| {
    let folder = Folder::new();
    let (token, webhook_secret) = (
        folder.keep("123456:ABC-DEF1234ghIkl"),
        folder.keep(WEBHOOK_SECRET),
    );
    folder.open(
        &json!({"telegram": {"token": token, "webhook_secret": webhook_secret, "username": "example_bot"}}),
    )
});

pub(crate) static SLACK: LazyLock<Account> = LazyLock::new(|| {
    let folder = Folder::new();
    let (token, signing_secret) = (folder.keep("xoxb-1"), folder.keep(SIGNING_SECRET));
    folder.open(&json!({"slack": {"token": token, "signing_secret": signing_secret}}))
});

pub(crate) static DISCORD: LazyLock<Account> = LazyLock::new(|| {
    let folder = Folder::new();
    let (token, public_key) = (
        folder.keep("a.b.c"),
        HEXLOWER.encode(DISCORD_KEY.verifying_key().as_bytes()),
    );
    folder.open(&json!({"discord": {"token": token, "application_id": "1", "public_key": public_key}}))
});

pub(crate) static HTTP: LazyLock<Account> = LazyLock::new(|| {
    let folder = Folder::new();
    let secret = folder.keep(HTTP_SECRET);
    folder.open(&json!({"http": {
        "secrets": [secret], "callback_url": "https://callback.test/", "callback_secret": secret,
    }}))
});

/// Where secrets lie until they are read.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().expect("there is room for a folder"))
    }

    /// The reference to a secret.
    fn keep(&self, secret: &str) -> String {
        let path = self.0.path().join(secret);
        std::fs::write(&path, secret).expect("the folder takes a file");
        format!("file:{}", path.display())
    }

    fn open(self, channel: &Value) -> Account {
        let connection = json!({"id": "c", "bot": "b", "channel": channel});
        let connection = serde_json::from_value(connection).expect("it is a connection");
        Account::open(&connection).expect("the secrets are there")
    }
}
