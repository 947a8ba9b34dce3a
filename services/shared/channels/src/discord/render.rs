//! A reply in parts that Discord takes: texts first, then files, and buttons under the last.

use super::components;
use crate::markdown::{self, discord};
use crate::outgoing::{OutgoingReply, Part, PartContent, UploadForm, in_order, uploads_and_lines};

/// The largest file that every server takes (`channels.md`, section 4.5.4).
const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;

pub(crate) fn render(reply: &OutgoingReply<'_>) -> Vec<Part> {
    // Discord shows a picture as one by itself.
    let (uploads, mut lines) = uploads_and_lines(reply.files, MAX_FILE_BYTES, |_| UploadForm::Document);
    let (buttons, more) = components::fitting(reply.buttons);
    lines.extend(more);
    let mut document = markdown::parse(reply.text);
    document.add_lines(&lines);
    let texts = discord::pieces(&document).into_iter().map(PartContent::text);
    in_order(texts.chain(uploads), &buttons)
}

#[cfg(test)]
mod tests {
    use proto_schemas::content::{Button, StoredFile};

    use super::*;
    use crate::outgoing::OutgoingFile;

    fn file(bytes: u64) -> OutgoingFile {
        OutgoingFile {
            name: "a.png".to_owned(),
            mime_type: Some("image/png".to_owned()),
            url: Some("https://files.test/a".to_owned()),
            stored: Some(StoredFile {
                key: "k".to_owned(),
                name: "a.png".to_owned(),
                mime_type: "image/png".to_owned(),
                bytes,
            }),
        }
    }

    fn outline(text: &str, files: &[OutgoingFile], buttons: &[Button]) -> Vec<String> {
        let part = |part: Part| {
            let content = match part.content {
                PartContent::Message { text, .. } => text,
                PartContent::Upload { file, .. } => format!("upload {}", file.bytes),
            };
            let labels: Vec<_> = part.buttons.into_iter().map(|button| button.label).collect();
            format!("{content}{}", labels.concat())
        };
        let parts = render(&OutgoingReply { text, files, buttons });
        parts.into_iter().map(part).collect()
    }

    fn button(label: &str) -> Button {
        Button {
            label: label.to_owned(),
            value: None,
            url: None,
        }
    }

    #[test]
    fn a_text_is_written_in_discords_dialect_and_calls_nobody() {
        let parts = outline("**Done:** 1 * 2, <@1>", &[], &[]);
        assert_eq!(parts, ["**Done:** 1 \\* 2, \\<@1>"]);
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_one_message() {
        for (text, expected) in [
            ("x".repeat(2000), 1),
            ("x".repeat(2001), 2),
            ("😀".repeat(1000), 1),
            ("😀".repeat(1001), 2),
        ] {
            let parts = outline(&text, &[], &[]);
            assert_eq!(parts.len(), expected);
            assert_eq!(parts.concat(), text, "no emoji is torn");
        }
    }

    #[test]
    fn files_follow_the_text_and_those_that_cannot_be_sent_are_links_in_it() {
        let mut gone = file(1);
        (gone.stored, gone.url) = (None, None);
        let files = [file(MAX_FILE_BYTES), file(MAX_FILE_BYTES + 1), file(0), gone];
        let link = "File: a.png https://files.test/a";
        let text = format!("Here.\n\n{link}\n{link}\nFile: a.png (not available)");
        assert_eq!(
            outline("Here.", &files, &[]),
            [text, format!("upload {MAX_FILE_BYTES}")]
        );
    }

    #[test]
    fn buttons_stand_under_the_last_part_and_what_does_not_fit_is_text() {
        let (sound, too_long) = (button(" [Yes]"), button(&"x".repeat(81)));
        let parts = outline("Sure?", &[file(1)], &[sound, too_long]);
        assert_eq!(
            parts,
            [
                format!("Sure?\n\n{}", "x".repeat(81)),
                "upload 1 [Yes]".to_owned()
            ]
        );
    }

    #[test]
    fn a_reply_with_nothing_to_say_has_no_parts() {
        assert_eq!(outline(" \n", &[], &[]), [""; 0]);
    }
}
