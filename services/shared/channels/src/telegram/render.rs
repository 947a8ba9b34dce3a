//! A reply in parts that Telegram takes: texts first, then files.

use proto_schemas::content::StoredFile;

use crate::markdown::{self, telegram};
use crate::outgoing::{OutgoingReply, Part, PartContent, UploadForm, in_order, uploads_and_lines};

/// The largest picture that is shown as one (`channels.md`, section 2.5.1); in decimal, to be on the safe side.
const MAX_PHOTO_BYTES: u64 = 10_000_000;
/// The largest file of any kind (`channels.md`, section 2.5.1).
const MAX_DOCUMENT_BYTES: u64 = 50_000_000;

pub(crate) fn render(reply: &OutgoingReply<'_>) -> Vec<Part> {
    let (uploads, lines) = uploads_and_lines(reply.files, MAX_DOCUMENT_BYTES, form);
    let mut document = markdown::parse(reply.text);
    document.add_lines(&lines);
    let texts = telegram::pieces(&document)
        .into_iter()
        .map(|piece| PartContent::Message {
            text: piece.text,
            entities: piece.entities,
            links: Vec::new(),
        });
    in_order(texts.chain(uploads), reply.buttons)
}

fn form(file: &StoredFile) -> UploadForm {
    match file.mime_type.as_str() {
        "image/jpeg" | "image/png" | "image/webp" if file.bytes <= MAX_PHOTO_BYTES => UploadForm::Photo,
        // What Telegram's players take; anything else they would only show as a file.
        "audio/mpeg" | "audio/mp4" | "audio/x-m4a" | "audio/m4a" => UploadForm::Audio,
        "video/mp4" => UploadForm::Video,
        _ => UploadForm::Document,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markdown::telegram::MAX_TEXT_UNITS;
    use crate::outgoing::OutgoingFile;

    fn file(mime_type: &str, bytes: u64) -> OutgoingFile {
        OutgoingFile {
            name: "a.bin".to_owned(),
            mime_type: Some(mime_type.to_owned()),
            url: Some("https://files.test/a".to_owned()),
            stored: Some(StoredFile {
                key: "k".to_owned(),
                name: "a.bin".to_owned(),
                mime_type: mime_type.to_owned(),
                bytes,
            }),
        }
    }

    fn outline(text: &str, files: &[OutgoingFile]) -> Vec<String> {
        let part = |part: Part| match part.content {
            PartContent::Message { text, .. } => text,
            PartContent::Upload { form, .. } => format!("{form:?}"),
        };
        render(&OutgoingReply {
            text,
            files,
            buttons: &[],
        })
        .into_iter()
        .map(part)
        .collect()
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_one_message() {
        assert_eq!(outline(&"x".repeat(MAX_TEXT_UNITS), &[]).len(), 1);
        assert_eq!(outline(&"x".repeat(MAX_TEXT_UNITS + 1), &[]).len(), 2);
        assert_eq!(outline(&"😀".repeat(MAX_TEXT_UNITS / 2 + 1), &[]).len(), 2);
    }

    #[test]
    fn files_follow_the_text_in_the_form_that_their_type_and_size_allow() {
        let files = [
            file("image/png", MAX_PHOTO_BYTES),
            file("image/png", MAX_PHOTO_BYTES + 1),
            file("application/pdf", MAX_DOCUMENT_BYTES),
            file("image/gif", 1),
            file("audio/mpeg", 1),
            file("audio/wav", 1),
            file("video/mp4", MAX_DOCUMENT_BYTES),
        ];
        let forms = [
            "Photo", "Document", "Document", "Document", "Audio", "Document", "Video",
        ];
        assert_eq!(outline("Here.", &files), [&["Here."], &forms[..]].concat());
    }

    #[test]
    fn a_file_that_cannot_be_sent_is_a_link_in_the_text() {
        let mut gone = file("image/png", 1);
        gone.stored = None;
        gone.url = None;
        let files = [
            file("video/mp4", MAX_DOCUMENT_BYTES + 1),
            file("text/plain", 0),
            gone,
        ];
        let lines =
            "File: a.bin https://files.test/a\nFile: a.bin https://files.test/a\nFile: a.bin (not available)";
        assert_eq!(outline("Here.", &files), [format!("Here.\n\n{lines}")]);
        assert_eq!(outline(" ", &files), [lines]);
    }

    #[test]
    fn only_the_first_part_points_at_the_question() {
        let parts = render(&OutgoingReply {
            text: "a",
            files: &[file("image/png", 1)],
            buttons: &[],
        });
        assert_eq!(
            parts.iter().map(|part| part.quotes).collect::<Vec<_>>(),
            [true, false]
        );
    }

    #[test]
    fn a_reply_with_nothing_to_say_has_no_parts() {
        assert_eq!(outline(" \n", &[]), [""; 0]);
    }
}
