//! Brings a user's file in: first ask for its address, then fetch it with the token (`channels.md`, section 3.4).

use outbound::Client;
use proto_schemas::content::FileSource;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, Response};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded::Serializer;

use super::Account;
use super::api::call;
use super::upload::FORM;
use crate::download::{DOWNLOAD_DEADLINE, DownloadError, Downloaded, platform_id, read_file, unanswered};
use crate::outgoing::{SEND_DEADLINE, SendError};

/// A file is moved at most so often before it is served.
const MAX_REDIRECTS: usize = 2;

#[derive(Deserialize)]
struct Answer {
    file: File,
}

#[derive(Deserialize)]
struct File {
    mimetype: Option<String>,
    size: Option<u64>,
    mode: Option<String>,
    url_private_download: Option<Url>,
    url_private: Option<Url>,
}

impl Account {
    pub(crate) async fn download(
        &self,
        client: &Client,
        source: &FileSource,
        max_bytes: u64,
        now_secs: u64,
    ) -> Result<Downloaded, DownloadError> {
        let file_id = platform_id(source)?;
        DownloadError::unless_fits(source.bytes, max_bytes)?;
        // Events of shared channels leave the address out; asked for, it is always there, and as it is now.
        let file = self.file(client, file_id, now_secs).await?;
        DownloadError::unless_fits(file.size, max_bytes)?;
        let mime_type = source.mime_type.as_deref().or(file.mimetype.as_deref());
        let response = self.fetch(client, file.address()?).await?;
        let downloaded = read_file(response, &source.name, mime_type, max_bytes).await?;
        match file.size {
            Some(size) if size != downloaded.bytes.len() as u64 => Err(DownloadError::transient(
                "wrong_size",
                format!("{} bytes came instead of {size}", downloaded.bytes.len()),
            )),
            Some(_) | None => Ok(downloaded),
        }
    }

    async fn file(&self, client: &Client, file_id: &str, now_secs: u64) -> Result<File, DownloadError> {
        let form = Serializer::new(String::new())
            .append_pair("file", file_id)
            .finish();
        let request = self
            .method(client, "files.info")
            .map_err(SendError::from)?
            .timeout(SEND_DEADLINE)
            .header(CONTENT_TYPE, FORM)
            .body(form);
        let answer: Answer = call(request, now_secs).await?;
        Ok(answer.file)
    }

    /// Follows a file inside Slack, so that no other host is shown the token. With a token that may not see the file,
    /// this ends at a page to sign in at.
    async fn fetch(&self, client: &Client, mut url: Url) -> Result<Response, DownloadError> {
        for _ in 0..=MAX_REDIRECTS {
            if !self.is_slack(&url) {
                return Err(DownloadError::misplaced());
            }
            let response = self
                .with_token(client, Method::GET, &url)
                .map_err(SendError::from)?
                .timeout(DOWNLOAD_DEADLINE)
                .send()
                .await
                .map_err(unanswered)?;
            match next(&url, &response) {
                Some(next) => url = next,
                None => return Ok(response),
            }
        }
        Err(DownloadError::permanent(
            "redirected",
            format!("more than {MAX_REDIRECTS} redirects"),
        ))
    }
}

impl File {
    fn address(&self) -> Result<Url, DownloadError> {
        match self.mode.as_deref() {
            Some("external") => Err(DownloadError::permanent(
                "external_file",
                "the file lies outside of Slack",
            )),
            Some("tombstone" | "hidden_by_limit") => Err(DownloadError::permanent(
                "not_found",
                "the file is not there any more",
            )),
            Some(_) | None => {
                let url = self.url_private_download.as_ref().or(self.url_private.as_ref());
                url.cloned().ok_or_else(|| {
                    DownloadError::permanent("no_address", "Slack names no address of the file")
                })
            }
        }
    }
}

fn next(url: &Url, response: &Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    url.join(response.headers().get(LOCATION)?.to_str().ok()?).ok()
}
