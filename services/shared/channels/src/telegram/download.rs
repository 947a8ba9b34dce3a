//! Brings a user's file in: first ask for its path, then fetch it (`channels.md`, section 2.4).

use outbound::Client;
use proto_schemas::content::FileSource;
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use super::Account;
use super::api::call;
use crate::download::{DownloadError, Downloaded, download_url, platform_id};
use crate::outgoing::{SEND_DEADLINE, SendError};

/// The largest file that bots can fetch: a constant of Telegram's server.
const MAX_FILE_BYTES: u64 = 20 * 1024 * 1024;

#[derive(Serialize)]
struct GetFile<'a> {
    file_id: &'a str,
}

#[derive(Deserialize)]
struct File {
    file_path: Option<String>,
    file_size: Option<u64>,
}

impl Account {
    pub(crate) async fn download(
        &self,
        client: &Client,
        source: &FileSource,
        max_bytes: u64,
    ) -> Result<Downloaded, DownloadError> {
        let file_id = platform_id(source)?;
        let limit = max_bytes.min(MAX_FILE_BYTES);
        DownloadError::unless_fits(source.bytes, limit)?;
        let file = self.file(client, file_id).await?;
        DownloadError::unless_fits(file.file_size, limit)?;
        let path = file.file_path.filter(|path| is_remote(path)).ok_or_else(|| {
            DownloadError::permanent(
                "no_file_path",
                "the Bot API server names no path that can be fetched",
            )
        })?;
        // The answer's type says nothing: Telegram keeps neither name nor type with the file.
        let url = self.file_url(&path);
        download_url(
            client,
            url.as_str(),
            &source.name,
            source.mime_type.as_deref(),
            limit,
        )
        .await
    }

    async fn file(&self, client: &Client, file_id: &str) -> Result<File, DownloadError> {
        let body = serde_json::to_vec(&GetFile { file_id }).expect("a struct of texts has a JSON form");
        let request = client
            .request(Method::POST, &self.method_url("getFile"))
            .map_err(SendError::from)?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        // A pause that Telegram asks for is not passed on here, so a `Retry-After` date need not be read.
        call(request, 0).await.map_err(|error| error.verdict().into())
    }
}

/// A server in `--local` mode answers with a path on its own disk.
fn is_remote(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/')
}
