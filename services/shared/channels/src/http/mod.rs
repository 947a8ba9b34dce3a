//! Our own HTTP channel: Standard Webhooks in both directions (`channels.md`, section 5).

mod receive;
mod send;

use outbound::Client;
use outbound::signature::SigningKey;
use proto_schemas::content::FileSource;
use registry::{HttpConnection, SecretRef};
use url::Url;

pub use receive::{MAX_ATTACHMENTS, MAX_FIELD_CHARS, MAX_TEXT_BYTES, MAX_URL_BYTES};
pub use send::MAX_CALLBACK_TEXT_BYTES;
pub(crate) use send::render;

use crate::account::OpenError;
use crate::download::{DownloadError, Downloaded, download_url, web_address};

/// An account of the HTTP channel.
pub struct Account {
    keys: Vec<SigningKey>,
    callback: Option<Callback>,
}

/// Where replies are posted, and what signs them.
struct Callback {
    url: Url,
    key: SigningKey,
}

impl Account {
    pub(crate) fn open(spec: &HttpConnection) -> Result<Self, OpenError> {
        Ok(Self {
            keys: spec.secrets.iter().map(signing_key).collect::<Result<_, _>>()?,
            callback: spec
                .callback_url
                .as_ref()
                .zip(spec.callback_secret.as_ref())
                .map(|(url, secret)| Callback::open(url, secret))
                .transpose()?,
        })
    }
}

impl Callback {
    fn open(url: &Url, secret: &SecretRef) -> Result<Self, OpenError> {
        Ok(Self {
            url: url.clone(),
            key: signing_key(secret)?,
        })
    }
}

fn signing_key(reference: &SecretRef) -> Result<SigningKey, OpenError> {
    let secret = reference.resolve()?;
    SigningKey::parse(secret.expose()).map_err(|source| OpenError::Key {
        reference: reference.to_string(),
        source,
    })
}

pub(crate) async fn download(
    client: &Client,
    file: &FileSource,
    max_bytes: u64,
) -> Result<Downloaded, DownloadError> {
    let url = web_address(file)?;
    download_url(client, url, &file.name, file.mime_type.as_deref(), max_bytes).await
}
