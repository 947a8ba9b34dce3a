//! A file as Discord describes it (`channels.md`, section 4.2.1).

use proto_schemas::content::{FileLocation, FileSource};
use serde::Deserialize;

use crate::inbound::{InboundFile, media_type};
use crate::names::sanitise_name;

#[derive(Deserialize)]
pub(super) struct Attachment {
    filename: Option<String>,
    content_type: Option<String>,
    size: Option<u64>,
    url: String,
}

impl Attachment {
    /// The file at its address, which is signed and good for some hours.
    pub(super) fn into_file(self) -> InboundFile {
        InboundFile::Source(FileSource {
            name: sanitise_name(self.filename.as_deref().unwrap_or_default()),
            mime_type: self.content_type.as_deref().and_then(media_type),
            bytes: self.size,
            location: FileLocation::Url { url: self.url },
        })
    }
}
