//! Brings a user's file in from Discord's CDN, whose addresses are signed: no token is shown (`channels.md`, section
//! 4.4).

use outbound::Client;
use proto_schemas::content::FileSource;
use url::Url;

use super::Account;
use crate::download::{DownloadError, Downloaded, download_url, web_address};

/// Where users' files are.
const CDN: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

impl Account {
    pub(crate) async fn download(
        &self,
        client: &Client,
        file: &FileSource,
        max_bytes: u64,
        now_secs: u64,
    ) -> Result<Downloaded, DownloadError> {
        let address = web_address(file)?;
        DownloadError::unless_fits(file.bytes, max_bytes)?;
        let url =
            Url::parse(address).map_err(|_| DownloadError::permanent("bad_url", "the link is not a URL"))?;
        if !self.keeps_files_at(&url) {
            return Err(DownloadError::misplaced());
        }
        if expires_at(&url).is_some_and(|at| at <= now_secs) {
            return Err(DownloadError::permanent(
                "link_expired",
                "Discord's link to the file has expired",
            ));
        }
        download_url(client, address, &file.name, file.mime_type.as_deref(), max_bytes).await
    }

    /// The hosts of the CDN, or that of the API: whoever puts another in Discord's place puts it in place of both.
    fn keeps_files_at(&self, url: &Url) -> bool {
        url.host_str()
            .is_some_and(|host| CDN.contains(&host) || Some(host) == self.api_base.host())
    }
}

/// When the address stops to work, in seconds since 1970.
fn expires_at(url: &Url) -> Option<u64> {
    let (_, at) = url.query_pairs().find(|(name, _)| name == "ex")?;
    u64::from_str_radix(&at, 16).ok()
}
