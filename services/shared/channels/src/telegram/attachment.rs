//! The file of a message (`channels.md`, section 2.2.2).

use proto_schemas::content::{FileLocation, FileSource};

use super::update::{Media, Message, PhotoSize};
use crate::inbound::media_type;
use crate::names::sanitise_name;

/// The file of a message; Telegram allows one. An animation is listed as a document too and counts once.
pub(super) fn file(message: &Message) -> Option<FileSource> {
    let media = |media: &Option<Media>, name: &str, mime_type: &str| {
        media.as_ref().map(|media| media_file(media, name, mime_type))
    };
    media(&message.document, "document", "application/octet-stream")
        .or_else(|| largest(&message.photo))
        .or_else(|| media(&message.animation, "animation.mp4", "video/mp4"))
        .or_else(|| media(&message.video, "video.mp4", "video/mp4"))
        .or_else(|| media(&message.video_note, "video.mp4", "video/mp4"))
        .or_else(|| media(&message.audio, "audio.mp3", "audio/mpeg"))
        .or_else(|| media(&message.voice, "voice.ogg", "audio/ogg"))
}

fn media_file(media: &Media, name: &str, mime_type: &str) -> FileSource {
    FileSource {
        name: media
            .file_name
            .as_deref()
            .map_or_else(|| name.to_owned(), sanitise_name),
        mime_type: media
            .mime_type
            .as_deref()
            .and_then(media_type)
            .or_else(|| Some(mime_type.to_owned())),
        bytes: media.file_size,
        location: FileLocation::Platform {
            file_id: media.file_id.clone(),
        },
    }
}

fn largest(sizes: &[PhotoSize]) -> Option<FileSource> {
    let photo = sizes
        .iter()
        .max_by_key(|size| u64::from(size.width) * u64::from(size.height))?;
    Some(FileSource {
        name: "photo.jpg".to_owned(),
        mime_type: Some("image/jpeg".to_owned()),
        bytes: photo.file_size,
        location: FileLocation::Platform {
            file_id: photo.file_id.clone(),
        },
    })
}
