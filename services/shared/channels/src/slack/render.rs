//! A reply in parts that Slack takes: texts first, then files.

use super::blocks::{MAX_BLOCK_CHARS, labels};
use crate::markdown::{self, slack};
use crate::outgoing::{OutgoingReply, Part, PartContent, UploadForm, in_order, uploads_and_lines};

/// The largest file that is sent as one. Slack takes more, and each of them is held in memory while it is sent.
const MAX_FILE_BYTES: u64 = 50_000_000;

pub(crate) fn render(reply: &OutgoingReply<'_>) -> Vec<Part> {
    // Slack shows a picture as one by itself.
    let (uploads, lines) = uploads_and_lines(reply.files, MAX_FILE_BYTES, |_| UploadForm::Document);
    let mut document = markdown::parse(reply.text);
    document.add_lines(&lines);
    let texts = slack::pieces(&document).into_iter().map(PartContent::text);
    let mut contents: Vec<PartContent> = texts.chain(uploads).collect();
    if !(reply.buttons.is_empty() || contents.last().is_some_and(has_room_for_buttons)) {
        contents.push(PartContent::text(labels(reply.buttons)));
    }
    in_order(contents, reply.buttons)
}

fn has_room_for_buttons(content: &PartContent) -> bool {
    match content {
        PartContent::Message { text, .. } => text.chars().count() <= MAX_BLOCK_CHARS,
        PartContent::Upload { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use proto_schemas::content::StoredFile;

    use super::*;
    use crate::outgoing::OutgoingFile;

    fn file(bytes: u64) -> OutgoingFile {
        OutgoingFile {
            name: "a.png".to_owned(),
            mime_type: Some("image/png".to_owned()),
            url: Some("https://files.test/a?b=1&c=2".to_owned()),
            stored: Some(StoredFile {
                key: "k".to_owned(),
                name: "a.png".to_owned(),
                mime_type: "image/png".to_owned(),
                bytes,
            }),
        }
    }

    fn outline(text: &str, files: &[OutgoingFile]) -> Vec<String> {
        let part = |part: Part| match part.content {
            PartContent::Message { text, .. } => text,
            PartContent::Upload { file, .. } => format!("upload {}", file.bytes),
        };
        let parts = render(&OutgoingReply {
            text,
            files,
            buttons: &[],
        });
        parts.into_iter().map(part).collect()
    }

    #[test]
    fn a_text_is_written_in_slacks_dialect_and_calls_nobody() {
        assert_eq!(
            outline("**Done:** 1 < 2, <!channel>", &[]),
            ["*Done:* 1 &lt; 2, &lt;!channel&gt;"]
        );
    }

    #[test]
    fn files_follow_the_text_and_those_that_cannot_be_sent_are_links_in_it() {
        let mut gone = file(1);
        (gone.stored, gone.url) = (None, None);
        let files = [file(MAX_FILE_BYTES), file(MAX_FILE_BYTES + 1), file(0), gone];
        let link = "File: a.png <https://files.test/a?b=1&amp;c=2>";
        let text = format!("Here.\n\n{link}\n{link}\nFile: a.png (not available)");
        assert_eq!(
            outline("Here.", &files),
            [text, format!("upload {MAX_FILE_BYTES}")]
        );
    }

    #[test]
    fn a_reply_with_nothing_to_say_has_no_parts() {
        assert_eq!(outline(" \n", &[]), [""; 0]);
    }
}
