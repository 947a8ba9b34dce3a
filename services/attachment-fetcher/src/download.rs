//! A reply's file from the webhook's owner.

use std::time::Duration;

use channels::{DownloadError, Downloaded, download_url, sanitise_name};
use outbound::Client;
use proto_schemas::content::Attachment;
use url::Url;

/// How long one file of a reply may take: the user is waiting for it.
const REPLY_FILE_DEADLINE: Duration = Duration::from_secs(30);

/// Fetches a file that a webhook wants to send, under the outbound policy.
pub(crate) async fn reply_file(
    client: &Client,
    attachment: &Attachment,
    max_bytes: u64,
) -> Result<Downloaded, DownloadError> {
    let (name, mime_type) = (name_of(attachment), attachment.mime_type.as_deref());
    in_time(download_url(client, &attachment.url, &name, mime_type, max_bytes)).await
}

/// The name that a file has in the chat: the one that the webhook gave, or else the end of its address.
pub(crate) fn name_of(attachment: &Attachment) -> String {
    if let Some(name) = &attachment.filename {
        return sanitise_name(name);
    }
    let url = Url::parse(&attachment.url).ok();
    let last = url.as_ref().and_then(|url| url.path_segments()?.next_back());
    sanitise_name(last.unwrap_or_default())
}

async fn in_time(
    download: impl Future<Output = Result<Downloaded, DownloadError>>,
) -> Result<Downloaded, DownloadError> {
    tokio::time::timeout(REPLY_FILE_DEADLINE, download)
        .await
        .unwrap_or_else(|_| {
            let detail = format!(
                "the file did not arrive within {} s",
                REPLY_FILE_DEADLINE.as_secs()
            );
            Err(DownloadError::Transient {
                class: "timeout",
                detail,
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_that_does_not_come_is_tried_again_later() {
        let error = in_time(std::future::pending()).await.unwrap_err();
        assert!(
            matches!(error, DownloadError::Transient { class: "timeout", .. }),
            "{error}"
        );
    }

    #[test]
    fn a_file_without_a_name_is_called_after_its_address() {
        let named = |filename: Option<&str>, url: &str| {
            let filename = filename.map(str::to_owned);
            name_of(&Attachment {
                url: url.to_owned(),
                filename,
                mime_type: None,
            })
        };
        assert_eq!(named(Some("../a.pdf"), "https://x.example/b.pdf"), "a.pdf");
        assert_eq!(named(None, "https://x.example/reports/b.pdf?token=1"), "b.pdf");
        assert_eq!(named(None, "https://x.example/"), "file");
        assert_eq!(named(None, "no url"), "file");
    }
}
