//! The files of a reply: waited for, then sent as bytes or as links.

use std::time::Duration;

use bus::{Bus, BusError, Revision};
use channels::OutgoingFile;
use proto_schemas::content::Attachment;
use proto_schemas::delivery::Delivery;
use proto_schemas::progress::{FilesProgress, OutgoingFile as Fetched};
use proto_schemas::subjects;
use proto_schemas::topology::PROGRESS;
use runtime::clock;
use runtime::links::Links;

/// How long a reply waits for its files. After that it goes out with links to where the webhook has them.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// The largest file that is sent as bytes: Telegram's limit for uploads (`channels.md`, section 0.1), and what we
/// are willing to hold in memory for the platforms that take more.
pub(crate) const MAX_UPLOAD_BYTES: usize = 50 * 1024 * 1024;

/// The files of a delivery.
pub(crate) enum Files {
    /// They are as they will be.
    Ready(Vec<OutgoingFile>),
    /// attachment-fetcher is at it.
    Awaited,
}

/// Looks for what became of the files.
pub(crate) async fn of(bus: &Bus, delivery: &Delivery, links: &Links) -> Result<Files, BusError> {
    let attachments = delivery.conclusion.result.attachments();
    if attachments.is_empty() {
        return Ok(Files::Ready(Vec::new()));
    }
    let key = subjects::files_progress(&delivery.conclusion.turn);
    let found: Option<Revision<FilesProgress>> = bus.get(&PROGRESS, &key).await?;
    match found {
        Some(found) => Ok(Files::Ready(
            found
                .record
                .files
                .into_iter()
                .map(|file| outgoing(file, links))
                .collect(),
        )),
        None if clock::now().since(delivery.conclusion.committed_at) < PATIENCE => Ok(Files::Awaited),
        None => Ok(Files::Ready(attachments.iter().map(as_link).collect())),
    }
}

fn outgoing(fetched: Fetched, links: &Links) -> OutgoingFile {
    match fetched {
        Fetched::Stored(stored) => OutgoingFile {
            name: stored.name.clone(),
            mime_type: Some(stored.mime_type.clone()),
            url: Some(links.link(&stored)),
            stored: Some(stored),
        },
        Fetched::Unavailable { attachment, .. } => as_link(&attachment),
    }
}

fn as_link(attachment: &Attachment) -> OutgoingFile {
    OutgoingFile {
        name: channels::sanitise_name(attachment.filename.as_deref().unwrap_or("file")),
        mime_type: attachment.mime_type.clone(),
        url: Some(attachment.url.clone()),
        stored: None,
    }
}
